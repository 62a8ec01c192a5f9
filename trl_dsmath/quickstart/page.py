"""The report as one HTML page that needs nothing else: narrow and wide, light and dark."""

import html

from .content import Content
from .examples import Example, Scored, Step
from .look import document, figures, inline, table

_STYLE = """
.headline { font-size: 1.15rem; line-height: 1.4; margin: .6rem 0 1.2rem; } td:first-child, th { white-space: nowrap; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin-bottom: 1rem; }
.tile { padding: .7rem .9rem; background: var(--card); border-radius: 8px; }
.tile b { display: block; font-size: 1.15rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.sample { margin-top: .7rem; } .step { display: flex; gap: .8rem; padding: .12rem .5rem; margin-top: 2px;
  border-radius: 4px; } .step i { font-style: normal; color: var(--soft); }
  .step code:first-child { flex: none; } .step .bad { font-weight: 700; }
"""


def render(
    title: str, content: Content, words: tuple[str, ...], pictures: dict[str, str] | None, no_pictures: str
) -> str:
    """
    Makes the page.

    Args:
        title (`str`):
            Its title.
        content ([`Content`]):
            What it says.
        words (`tuple[str, ...]`):
            What is designed in.
        pictures (`dict[str, str]`, *optional*):
            SVG by caption.
        no_pictures (`str`):
            What to say when there are none.

    Returns:
        `str`: HTML.
    """
    shown = [f"<p>{inline(no_pictures)}</p>"] if pictures is None else figures(pictures)
    tiles = "".join(
        f'<div class="tile"><span class="soft">{inline(name)}</span><b>{inline(figure)}</b>'
        f'<span class="soft">{inline(what)}</span></div>'
        for name, figure, what in content.tiles
    )
    cards = "".join(map(_card, content.examples))
    examples = f'<h2>Steps and their scores</h2>\n<p class="soft">{inline(_SCORES)}</p><div class="grid">{cards}</div>'
    tables = [
        f'<h2>{inline(one.title)}</h2>\n{table(one.rows, one.words)}<p class="soft">{inline(one.note)}</p>\n'
        for one in content.tables
    ]
    body = f"""<p class="headline">{inline(content.headline)}</p>
<div class="tiles">{tiles}</div>
<div class="grid">{"".join(shown)}</div>
{examples if content.examples else ""}
{"".join(tables)}
<h2>What is designed in, and what a toy cannot show</h2>
<ul>{"".join(f"<li>{inline(text)}</li>" for text in words)}</ul>
<p class="soft">{inline(content.settings)}. {inline(content.versions)}</p>"""
    return document(title, body, _STYLE)


_SCORES = (
    "Samples of the SFT model for held-out problems. The figure and the colour of a step are the PRM's score, from red (0) "
    "to green (1); ✗ marks a sum that is wrong in truth, which the PRM was never told."
)


def _card(example: Example) -> str:
    right = f'<span class="soft">Right: {html.escape(example.answer)}</span>'
    samples = "".join(map(_sample, example.samples))
    return f'<div class="card"><h3>{example.caption}</h3><p>{html.escape(example.question)} {right}</p>{samples}</div>'


def _sample(sample: Scored) -> str:
    mark = '<span class="good">✓</span>' if sample.right else '<span class="bad">✗</span>'
    return f'<div class="sample">{mark} <span class="soft">{html.escape(sample.title)}</span>{"".join(map(_step, sample.steps))}</div>'


def _step(step: Step) -> str:
    hue = round(120 * min(1.0, max(0.0, step.score)))
    mark = ' <span class="bad">✗</span>' if step.wrong else ""
    return (
        f'<div class="step" style="background:hsl({hue} 70% 45% / .22)"><code><i>{step.score:.2f}</i></code>'
        f"<code>{html.escape(step.text)}{mark}</code></div>"
    )

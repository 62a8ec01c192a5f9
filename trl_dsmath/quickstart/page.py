"""The report as one HTML page that needs nothing else: narrow and wide, light and dark."""

import html
import re

from .content import Content, Table
from .examples import Example, Scored, Step

STYLE = """
:root { color-scheme: light dark; --text: #1c2128; --soft: #5b6470; --page: #ffffff; --card: #f5f6f8; --line: #dfe3e8;
  --good: #1a7f4b; --bad: #c2362b; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --soft: #9aa4b0; --page: #14171b; --card: #1e2329;
  --line: #333a42; --good: #4cc38a; --bad: #ff7b6e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 66rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .7rem; }
.headline { font-size: 1.15rem; line-height: 1.4; margin: .6rem 0 1.2rem; }
.soft { color: var(--soft); font-size: .9rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .8rem; margin-bottom: 1rem; }
.tile { padding: .7rem .9rem; background: var(--card); border-radius: 8px; }
.tile b { display: block; font-size: 1.15rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; } td.number, th.number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; } tr.sum td { font-weight: 600; border-bottom: 0; }
td:first-child { white-space: nowrap; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
figure, .card { margin: 0; padding: .9rem 1rem; background: var(--card); border-radius: 8px; min-width: 0; }
figure svg { width: 100%; height: auto; display: block; } figcaption { font-size: .88rem; color: var(--soft); }
code, .step { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .86rem; }
code { overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); } .card h3 { font-size: .95rem; margin: 0 0 .3rem; }
.card p { margin: .2rem 0 .5rem; font-size: .92rem; } li { margin: .55rem 0; } ul { padding-left: 1.2rem; }
.sample { margin-top: .7rem; } .step { display: flex; gap: .8rem; padding: .12rem .5rem; margin-top: 2px;
  border-radius: 4px; overflow-wrap: anywhere; } .step i { font-style: normal; color: var(--soft); flex: none; }
@media (max-width: 44rem) { .stack tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stack tr:first-child, .stack td:empty { display: none; } .stack td { display: flex; justify-content: space-between;
  gap: 1.5rem; padding: .1rem 0; border: 0; text-align: right; } .stack td::before { content: attr(data-name);
  color: var(--soft); white-space: nowrap; } .stack tr.sum { border: 0; } .stack td:first-child { font-weight: 600; }
  .stack.words td { display: block; text-align: left; padding: .2rem 0; } .stack.words td::before { display: block;
  font-size: .85rem; font-weight: 400; } }
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
    if pictures is None:
        figures = f"<p>{_inline(no_pictures)}</p>"
    else:
        figures = "".join(
            f"<figure>{svg}<figcaption>{_inline(text)}</figcaption></figure>" for text, svg in pictures.items()
        )
    tiles = "".join(
        f'<div class="tile"><span class="soft">{_inline(name)}</span><b>{_inline(figure)}</b>'
        f'<span class="soft">{_inline(what)}</span></div>'
        for name, figure, what in content.tiles
    )
    cards = "".join(map(_card, content.examples))
    examples = (
        f'<h2>Steps and their scores</h2>\n<p class="soft">{_inline(_SCORES)}</p><div class="grid">{cards}</div>'
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{STYLE}</style></head><body>
<h1>{title}</h1>
<p class="headline">{_inline(content.headline)}</p>
<div class="tiles">{tiles}</div>
<div class="grid">{figures}</div>
{examples if content.examples else ""}
{"".join(map(_table, content.tables))}
<h2>What is designed in, and what a toy cannot show</h2>
<ul>{"".join(f"<li>{_inline(text)}</li>" for text in words)}</ul>
<p class="soft">{_inline(content.settings)}. {_inline(content.versions)}</p>
</body></html>
"""


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
    return f'<div class="sample"><span class="soft">{html.escape(sample.title)} {mark}</span>{"".join(map(_step, sample.steps))}</div>'


def _step(step: Step) -> str:
    hue = round(120 * min(1.0, max(0.0, step.score)))
    mark = ' <span class="bad">✗</span>' if step.wrong else ""
    return (
        f'<div class="step" style="background:hsl({hue} 70% 45% / .22)"><i>{step.score:.2f}</i>'
        f"<span>{html.escape(step.text)}{mark}</span></div>"
    )


def _table(table: Table) -> str:
    lines = []
    for i, row in enumerate(table.rows):
        tag = "td" if i else "th"
        cells = "".join(
            f'<{tag} data-name="{table.rows[0][j]}"{" class=number" if j >= table.words else ""}>{_wrapped(cell)}</{tag}>'
            for j, cell in enumerate(row)
        )
        lines.append(f"<tr{' class=sum' if row[0] == 'in all' else ''}>{cells}</tr>")
    kind = "stack words" if table.words == len(table.rows[0]) else "stack"
    note = f'<p class="soft">{_inline(table.note)}</p>' if table.note else ""
    return f'<h2>{_inline(table.title)}</h2>\n<div class="{kind}"><table>{"".join(lines)}</table></div>{note}\n'


def _wrapped(cell: str) -> str:
    """A cell in one piece, because on a narrow page its name stands beside it; an empty one stays empty, to be hidden."""
    return f"<span>{_inline(cell)}</span>" if cell else ""


def _inline(text: str) -> str:
    """The two bits of Markdown that the texts use, as HTML."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text, quote=False))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)

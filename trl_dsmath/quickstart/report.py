"""The report of a run: `report.md`, and `report.html` in one file with its pictures."""

import html
import re
from importlib.util import find_spec

from .content import WORDS, Content, Example, collect, curve, logged
from .settings import RunFolder, Settings, write_whole
from .task import wrong_lines

TITLE = "dsmath quickstart"
NO_PLOT = (
    "No plot: matplotlib is not installed. `pip install 'trl-dsmath[report]'`, then the same command again adds it."
)
READING = (
    "Accuracy is the share of held-out problems whose boxed answer is right, from real generation, judged by "
    "`boxed_accuracy_reward`. Sampled: one sample a problem."
)

STYLE = """
:root { color-scheme: light dark; --text: #1c2128; --soft: #5b6470; --page: #ffffff; --card: #f5f6f8; --line: #dfe3e8;
  --good: #1a7f4b; --bad: #c2362b; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --soft: #9aa4b0; --page: #14171b; --card: #1e2329;
  --line: #333a42; --good: #4cc38a; --bad: #ff7b6e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .7rem; }
.headline { font-size: 1.2rem; line-height: 1.4; margin: .6rem 0 1.4rem; } .soft { color: var(--soft); font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; } td.number, th.number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; } tr.sum td { font-weight: 600; border-bottom: 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }
figure, .card { margin: 0; padding: .9rem 1rem; background: var(--card); border-radius: 8px; min-width: 0; }
figure svg { width: 100%; height: auto; display: block; } figcaption { font-size: .88rem; color: var(--soft); }
pre, code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .86rem; }
pre { margin: .2rem 0 .6rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); } .card h3 { font-size: .95rem; margin: 0 0 .3rem; }
@media (max-width: 44rem) { .stack tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stack tr:first-child, .stack td:empty { display: none; } .stack td { display: flex; justify-content: space-between;
  gap: 1.5rem; padding: .1rem 0; border: 0; text-align: right; } .stack td::before { content: attr(data-name);
  color: var(--soft);
  white-space: nowrap; } .stack tr.sum { border: 0; } }
.card p { margin: .2rem 0 .5rem; font-size: .92rem; } li { margin: .55rem 0; } ul { padding-left: 1.2rem; }
"""


def write(folder: RunFolder, settings: Settings) -> str:
    """
    Writes the report of the stages that are finished.

    Args:
        folder ([`RunFolder`]):
            Folder of the run.
        settings ([`Settings`]):
            Its settings.

    Returns:
        `str`: what to tell on the terminal: the result, and where the report is.
    """
    content = collect(folder, settings)
    pictures = _pictures(content)
    write_whole(folder.path / "report.md", markdown(content))
    write_whole(folder.path / "report.html", page(content, pictures))
    lines = [content.headline, f"Report: {folder.path / 'report.html'} (and report.md)"]
    return "\n".join(lines if pictures is not None else [*lines, NO_PLOT])


def _pictures(content: Content) -> dict[str, str] | None:
    """The pictures by their captions; None when matplotlib is not there."""
    if find_spec("matplotlib") is None:
        return None
    from . import plot

    results = content.results
    pictures: dict[str, str] = {}
    if "grpo" in results:
        caption = "Accuracy while GRPO trains. Band: 95 % interval over the held-out problems."
        rewards = logged(results["grpo"], "reward")
        pictures[caption] = plot.learning_curve(curve(results), results["grpo"]["problems"], rewards)
    curves: dict[str, list[tuple[int, float]]] = {
        stage: logged(results[stage], "loss") for stage in ("pretrain", "sft") if stage in results
    }
    if curves:
        caption = "Training loss before it. In pretraining the form of the text is learnt first; the later fall is the facts."
        pictures[caption] = plot.losses(curves)
    return pictures


def markdown(content: Content) -> str:
    """The report as Markdown, without pictures."""
    parts = [f"# {TITLE}", content.headline, f"{READING} {content.settings}."]
    parts += ["## Accuracy", _markdown_table(content.accuracy)]
    parts += ["## What was trained on what", _markdown_table(content.training)]
    parts += ["## Answers to held-out problems", *(_markdown_example(example) for example in content.examples)]
    parts += ["## What is designed in, and what a toy cannot show", "\n".join(f"* {text}" for text in WORDS)]
    parts += ["## Versions", content.versions]
    return "\n\n".join(parts) + "\n"


def _markdown_table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def _markdown_example(example: Example) -> str:
    texts = [
        f"{name}:\n\n```\n{_marked(text, example.answer, plain=True)}\n```"
        for name, text in example.completions.items()
    ]
    return "\n\n".join([f"### {example.caption}", f"{example.question} (right: {example.answer})", *texts])


def _marked(completion: str, answer: str, plain: bool) -> str:
    """A completion with a mark behind each wrong sum and behind the final line."""
    lines = completion.split("\n")
    wrong = set(wrong_lines(completion))
    marked = []
    for number, line in enumerate(lines):
        mark = "✗" if number in wrong else ""
        if number == len(lines) - 1:
            mark = "✓" if line.endswith(f"\\boxed{{{answer}}}") else "✗"
        text = f"{line}  {mark}".rstrip() if plain else f"{html.escape(line)}  {mark}".rstrip()
        if not plain and mark:
            text = f'<span class="{"good" if mark == "✓" else "bad"}">{text}</span>'
        marked.append(text)
    return "\n".join(marked)


def page(content: Content, pictures: dict[str, str] | None) -> str:
    """The report as one HTML page that needs nothing else."""
    if pictures is None:
        figures = f"<p>{_inline(NO_PLOT)}</p>"
    else:
        figures = "".join(
            f"<figure>{svg}<figcaption>{_inline(caption)}</figcaption></figure>" for caption, svg in pictures.items()
        )
    cards = "".join(_card(example) for example in content.examples)
    words = "".join(f"<li>{_inline(text)}</li>" for text in WORDS)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title><style>{STYLE}</style></head><body>
<h1>{TITLE}</h1>
<p class="headline">{_inline(content.headline)}</p>
<div class="grid">{figures}</div>
<h2>Accuracy</h2>
<div class="stack">{_html_table(content.accuracy, words=1)}</div>
<p class="soft">{_inline(READING)} {_inline(content.settings)}.</p>
<h2>What was trained on what</h2>
<div class="stack">{_html_table(content.training, words=3)}</div>
<h2>Answers to held-out problems</h2>
<div class="grid">{cards}</div>
<h2>What is designed in, and what a toy cannot show</h2>
<ul>{words}</ul>
<p class="soft">{_inline(content.versions)}</p>
</body></html>
"""


def _card(example: Example) -> str:
    texts = "".join(
        f'<div class="soft">{name}</div><pre>{_marked(text, example.answer, plain=False)}</pre>'
        for name, text in example.completions.items()
    )
    right = f'<span class="soft">Right: {html.escape(example.answer)}</span>'
    return f'<div class="card"><h3>{example.caption}</h3><p>{html.escape(example.question)} {right}</p>{texts}</div>'


def _html_table(rows: list[list[str]], words: int) -> str:
    """A table whose first columns, `words` of them, are words and the others figures."""
    lines = []
    for i, row in enumerate(rows):
        tag = "td" if i else "th"
        cells = "".join(
            f'<{tag} data-name="{rows[0][j]}"{" class=number" if j >= words else ""}>{_inline(cell)}</{tag}>'
            for j, cell in enumerate(row)
        )
        lines.append(f"<tr{' class=sum' if row[0] == 'in all' else ''}>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _inline(text: str) -> str:
    """The two bits of Markdown that the texts use, as HTML."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text, quote=False))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)

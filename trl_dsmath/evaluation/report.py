"""The report of an evaluation: `report.md`, `report.json`, and `report.html` in one file with its pictures."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .content import Content, Example, collect, percent, title_of
from .journal import write_whole
from .run import Task
from .score import Scores

NO_PLOT = "No pictures: matplotlib is not installed. `pip install trl-dsmath[report]`, then `dsmath evaluate --rescore` on this folder."
_LONGEST = 1500  # characters of an example

STYLE = """
:root { color-scheme: light dark; --text: #1c2128; --soft: #5b6470; --page: #ffffff; --card: #f5f6f8; --line: #dfe3e8;
  --good: #1a7f4b; --bad: #c2362b; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --soft: #9aa4b0; --page: #14171b; --card: #1e2329;
  --line: #333a42; --good: #4cc38a; --bad: #ff7b6e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 66rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans CJK SC", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .8rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .7rem; }
.soft { color: var(--soft); font-size: .9rem; } .warn { border-left: 3px solid var(--bad); padding: .1rem .8rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; } td.number, th.number { text-align: right;
  font-variant-numeric: tabular-nums; } td.number { white-space: nowrap; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem; }
body > figure { max-width: 36rem; margin: 1rem auto; }
figure, .card { margin: 0; padding: .9rem 1rem; background: var(--card); border-radius: 8px; min-width: 0; }
figure svg { width: 100%; height: auto; display: block; } figcaption { font-size: .88rem; color: var(--soft); }
pre, code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .86rem; }
pre { margin: .3rem 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 18rem; overflow-y: auto; }
.card h3 { font-size: .95rem; margin: 0 0 .3rem; } .card p { margin: .2rem 0 .5rem; font-size: .92rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); } li { margin: .45rem 0; } ul { padding-left: 1.2rem; }
@media (max-width: 48rem) { .stack tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stack tr:first-child, .stack td:empty { display: none; } .stack td { display: flex; justify-content: space-between;
  gap: 1.5rem; padding: .1rem 0; border: 0; text-align: right; white-space: normal; } .stack td::before {
  content: attr(data-name); color: var(--soft); text-align: left; } .stack td:first-child { font-weight: 600; }
  .stack td:first-child::before { content: ""; display: none; } }
"""


def write(folder: str | Path, tasks: Sequence[Task], scores: Scores, record: dict[str, Any]) -> Content:
    """
    Writes `report.md`, `report.html`, `report.json` and `scores.jsonl` into the folder of an evaluation.

    Args:
        folder (`str` or `Path`):
            The folder.
        tasks (`Sequence[Task]`):
            What was asked.
        scores ([`Scores`]):
            How it was answered.
        record (`dict`):
            What stands in `run.json`.

    Returns:
        [`Content`]: what the report says.
    """
    folder = Path(folder)
    content = collect(tasks, scores, record)
    write_whole(folder / "scores.jsonl", "".join(_score_line(one) for one in _lines(tasks, scores)))
    write_whole(
        folder / "report.json", json.dumps(_record(content, scores, record), ensure_ascii=False, indent=2) + "\n"
    )
    write_whole(folder / "report.md", markdown(content))
    write_whole(folder / "report.html", page(content, _pictures(content)))
    return content


def _lines(tasks: Sequence[Task], scores: Scores) -> list[dict[str, Any]]:
    by_key = {task.key: task for task in tasks}
    return [
        {
            "benchmark": by_key[one.key].problem.benchmark,
            "problem": by_key[one.key].problem.index,
            "way": by_key[one.key].way,
            "sample": one.sample,
            "gold": by_key[one.key].problem.gold,
            "flexible": one.answers["flexible"],
            "flexible_verdict": str(one.verdicts["flexible"]),
            "strict": one.answers["strict"],
            "strict_verdict": str(one.verdicts["strict"]),
        }
        for one in scores.graded
    ]


def _score_line(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"


def _record(content: Content, scores: Scores, record: dict[str, Any]) -> dict[str, Any]:
    return {
        **record,
        "complete": scores.whole,
        "figures": [figure.record() for figure in content.figures],
        "published_percent": {name: [asdict(one) for one in found] for name, found in content.published.items()},
        "differences": content.differences,
        "warnings": content.warnings,
        "missing_samples": scores.missing,
        "too_long_problems": scores.too_long,
        "unreadable_golds": scores.bad_golds,
        "cut_off_samples": scores.cut_off,
    }


def _pictures(content: Content) -> dict[str, str] | None:
    """The pictures by their captions; None when matplotlib is not there."""
    if find_spec("matplotlib") is None:
        return None
    from . import plot

    pictures = {}
    if content.figures:
        caption = "Accuracy by benchmark. Band: 95 % interval over the problems."
        pictures[caption] = plot.overview(content.figures, content.published)
    for name in dict.fromkeys(one.benchmark for one in content.figures if one.name.startswith("maj@")):
        caption = f"{title_of(name)}: several samples a problem, flexible reading."
        pictures[caption] = plot.curves(content.figures, name)
    return pictures


def markdown(content: Content) -> str:
    """The report as Markdown, without pictures."""
    parts = [f"# Evaluation of {content.model}", *(f"> {text}" for text in content.warnings)]
    for caption, rows in content.tables:
        parts += [_markdown_table(rows), caption]
    parts += ["## What differs from the published protocol", "\n".join(f"* {text}" for text in content.differences)]
    parts += ["## Examples", *(_markdown_example(example) for example in content.examples)]
    parts += ["## Settings and versions", content.versions]
    return "\n\n".join(parts) + "\n"


def _markdown_table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def _markdown_example(example: Example) -> str:
    fence = "`" * max(4, 1 + max((len(run) for run in re.findall(r"`+", example.completion)), default=0))
    return "\n\n".join(
        [
            f"### {example.title}",
            f"{fence}\n{_cut(example.question)}\n{fence}",
            f"{fence}\n{_cut(example.completion)}\n{fence}",
            f"Right: `{example.gold}`; flexible: `{example.answers['flexible']}`; strict: `{example.answers['strict']}`",
        ]
    )


def _cut(text: str) -> str:
    """Beginning and end of a text that is too long to show."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}\n[... {len(text) - _LONGEST:,} characters ...]\n{text[-_LONGEST // 2 :]}"


def page(content: Content, pictures: dict[str, str] | None) -> str:
    """The report as one HTML page that needs nothing else."""
    if pictures is None:
        figures = f"<p>{_inline(NO_PLOT)}</p>"
    else:
        shown = [
            f"<figure>{svg}<figcaption>{_inline(caption)}</figcaption></figure>" for caption, svg in pictures.items()
        ]
        figures = "".join([*shown[:1], '<div class="grid">', *shown[1:], "</div>"])
    warnings = "".join(f'<p class="warn">{_inline(text)}</p>' for text in content.warnings)
    tables = "".join(
        f'<div class="stack">{_html_table(rows)}</div><p class="soft">{_inline(caption)}</p>'
        for caption, rows in content.tables
    )
    differences = "".join(f"<li>{_inline(text)}</li>" for text in content.differences)
    cards = "".join(_card(example) for example in content.examples)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation of {html.escape(content.model)}</title><style>{STYLE}</style></head><body>
<h1>Evaluation of {html.escape(content.model)}</h1>
{warnings}
{tables}
{figures}
<h2>What differs from the published protocol</h2>
<ul>{differences}</ul>
<h2>Examples</h2>
<div class="grid">{cards}</div>
<h2>Settings and versions</h2>
<p class="soft">{_inline(content.versions)}</p>
</body></html>
"""


def _card(example: Example) -> str:
    read = "; ".join(
        f'{reading}: <code class="{"good" if example.right[reading] else "bad"}">{html.escape(str(answer))}</code>'
        for reading, answer in example.answers.items()
    )
    return (
        f'<div class="card"><h3>{html.escape(example.title)}</h3><p>{html.escape(_cut(example.question))}</p>'
        f"<pre>{html.escape(_cut(example.completion))}</pre>"
        f'<div class="soft">right: <code>{html.escape(example.gold)}</code>; {read}</div></div>'
    )


def _html_table(rows: list[list[str]]) -> str:
    lines = []
    for i, row in enumerate(rows):
        tag = "td" if i else "th"
        cells = "".join(
            f'<{tag} data-name="{html.escape(rows[0][j])}"{" class=number" if j else ""}>{_inline(cell)}</{tag}>'
            for j, cell in enumerate(row)
        )
        lines.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _inline(text: str) -> str:
    """The two bits of Markdown that the texts use, as HTML."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text, quote=False))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


def table_text(content: Content) -> str:
    """The first table for a terminal: a line a benchmark."""
    width = max((len(title_of(figure.benchmark)) for figure in content.figures), default=0)
    lines = []
    for figure in content.figures:
        if figure.reading == "flexible" and (figure.name in ("greedy", "recorded") or _of_all(figure.name, content)):
            strict = next(
                one
                for one in content.figures
                if (one.benchmark, one.name, one.reading) == (figure.benchmark, figure.name, "strict")
            )
            lines.append(
                f"{title_of(figure.benchmark):<{width}}  {figure.name:<8} {percent(figure):>20}   strict "
                f"{100 * strict.value:5.1f}   n {figure.problems:,}"
            )
    return "\n".join(lines)


def _of_all(name: str, content: Content) -> bool:
    """Whether a figure is over all samples of a problem."""
    return any(one.name == f"avg@{name.split('@')[-1]}" for one in content.figures)

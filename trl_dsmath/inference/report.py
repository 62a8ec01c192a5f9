"""The report of an evaluation: `report.md`, `report.json`, and `report.html` in one file with its pictures."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..data.journal import write_whole
from ..report.page import document, figures, inline, markdown_table, table
from .report_content import Content, Example, collect, percent, title_of
from .run import Task
from .score import Scores

NO_PLOT = "No pictures: matplotlib is not installed. `pip install 'trl-dsmath[report]'`, then `dsmath evaluate --rescore` on this folder."
_LONGEST = 1500  # characters of an example

_STYLE = """
.warn { border-left: 3px solid var(--bad); padding: .1rem .8rem; } body > figure { max-width: 36rem; margin: 1rem auto; }
.card p { white-space: pre-wrap; } pre { margin: .3rem 0; white-space: pre-wrap; max-height: 18rem; overflow-y: auto; }
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
    from . import report_plot as plot

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
        parts += [markdown_table(rows), caption]
    parts += ["## What differs from the published protocol", "\n".join(f"* {text}" for text in content.differences)]
    parts += ["## Examples", *(_markdown_example(example) for example in content.examples)]
    parts += ["## Settings and versions", content.versions]
    return "\n\n".join(parts) + "\n"


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
        shown = f"<p>{inline(NO_PLOT)}</p>"
    else:
        first, *others = figures(pictures) or [""]
        shown = f'{first}<div class="grid">{"".join(others)}</div>'
    warnings = "".join(f'<p class="warn">{inline(text)}</p>' for text in content.warnings)
    tables = "".join(f'{table(rows)}<p class="soft">{inline(caption)}</p>' for caption, rows in content.tables)
    body = f"""{warnings}
{tables}
{shown}
<h2>What differs from the published protocol</h2>
<ul>{"".join(f"<li>{inline(text)}</li>" for text in content.differences)}</ul>
<h2>Examples</h2>
<div class="grid">{"".join(map(_card, content.examples))}</div>
<h2>Settings and versions</h2>
<p class="soft">{inline(content.versions)}</p>"""
    return document(f"Evaluation of {content.model}", body, _STYLE)


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

"""The report of an evaluation: `report.md`, `report.json`, and `report.html` in one file with its plots."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..data.benchmarks import BENCHMARKS
from ..data.journal import write_rows, write_whole
from ..paper import RESULTS
from ..report import Example, Page, Section, shortened, text_table
from ..report.plot import BLUE, GREEN, GREY, NO_PLOT, ORANGE, Series, lines, points
from .report_differences import differences, title_of
from .run import Task
from .score import Graded, Metric, Scores

MODELS = {"base": "Base", "instruct": "Instruct", "rl": "RL"}
PLOTTED_FROM = 30  # problems; with fewer an interval spans most of the axis, and a plot shows less than the table
_MARKERS = {"base": ("D", GREY), "instruct": ("s", ORANGE), "rl": ("^", GREEN)}
_LONGEST = 1500  # characters of an example
_ASKED_FOR = {
    "box": "in the box",
    "sentence": "in the closing sentence of the examples",
    "program": "what the program printed",
}


@dataclass(frozen=True)
class Published:
    """A published metric beside which a benchmark is put: whose, in which mode, and in percent."""

    model: str
    mode: str
    percent: float


@dataclass(frozen=True)
class Report:
    """What is written about an evaluation."""

    metrics: list[Metric]
    published: dict[str, list[Published]]  # by benchmark, those of the same mode
    warnings: list[str]  # what is missing or was cut off
    differences: list[str]  # to the published protocol
    page: Page  # for people


def write(folder: str | Path, tasks: Sequence[Task], scores: Scores, record: dict[str, Any]) -> Report:
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
            The contents of `run.json`.

    Returns:
        [`Report`]
    """
    folder = Path(folder)
    report = make_report(tasks, scores, record)
    tasks_by_key = {task.key: task for task in tasks}
    write_rows(folder / "scores.jsonl", (_score_line(tasks_by_key[one.key], one) for one in scores.graded))
    whole_record = {
        **record,
        "complete": scores.complete,
        "metrics": [asdict(metric) for metric in report.metrics],
        "published_percent": {name: [asdict(one) for one in found] for name, found in report.published.items()},
        "differences": report.differences,
        "warnings": report.warnings,
        "missing_samples": scores.missing,
        "too_long_problems": scores.too_long,
        "unreadable_golds": scores.bad_golds,
        "cut_off_samples": scores.cut_off,
    }
    write_whole(folder / "report.json", json.dumps(whole_record, ensure_ascii=False, indent=2) + "\n")
    write_whole(folder / "report.md", report.page.markdown())
    write_whole(folder / "report.html", report.page.html())
    return report


def make_report(tasks: Sequence[Task], scores: Scores, record: dict[str, Any]) -> Report:
    """The report of an evaluation, without writing it. The arguments are those of [`write`]."""
    names = list(dict.fromkeys(task.problem.benchmark for task in tasks))
    mode = tasks[0].mode if tasks else "cot"
    published = {name: _published(name, mode) for name in names}
    warnings = _warnings(scores)
    different = differences(tasks, [name for name in names if not published[name]])
    sections = [_single(tasks, names, scores.metrics, published)]
    if any(metric.name.startswith("maj@") for metric in scores.metrics):
        sections.append(_many(names, scores.metrics))
    settings = record.get("settings") or {}
    line = ", ".join(
        f"{key} {value}" for key, value in settings.items() if value not in (None, [], ()) and value is not False
    )
    installed = ", ".join(f"{name} {number}" for name, number in (record.get("versions") or {}).items())
    page = Page(
        f"Evaluation of {record.get('model') or record.get('engine') or 'recorded completions'}",
        [
            *sections,
            *_plots(names, scores.metrics, published),
            Section("What differs from the published protocol", bullets=different),
            Section("Examples", examples=_examples(tasks, scores.graded)),
            Section(
                "Settings and versions",
                note=f"Settings: {line}. Versions: {installed}." if line else f"Versions: {installed}.",
            ),
        ],
        warnings=warnings,
    )
    return Report(scores.metrics, published, warnings, different, page)


def metrics_text(metrics: Sequence[Metric]) -> str:
    """The main metrics as a table for a terminal, one line per benchmark and decoding."""
    of_all_samples = {f"{kind}@{one.name[4:]}" for one in metrics if one.name.startswith("avg@") for kind in ("avg", "maj", "pass")}  # fmt: skip
    strict = {(one.benchmark, one.name): one for one in metrics if one.filter == "strict"}
    rows = [("benchmark", "metric", "flexible, % (95 % interval)", "strict, %", "problems")]
    rows += [
        (
            title_of(one.benchmark),
            one.name,
            _percent(one),
            f"{100 * strict[one.benchmark, one.name].value:.1f}",
            f"{one.problems:,}",
        )
        for one in metrics
        if one.filter == "flexible" and (one.name in ("greedy", "recorded") or one.name in of_all_samples)
    ]
    return text_table(rows)


def _score_line(task: Task, graded: Graded) -> dict[str, Any]:
    return {
        "benchmark": task.problem.benchmark,
        "problem": task.problem.index,
        "decoding": task.decoding,
        "sample": graded.sample,
        "gold": task.problem.gold,
        "flexible": graded.answers["flexible"],
        "flexible_verdict": str(graded.verdicts["flexible"]),
        "strict": graded.answers["strict"],
        "strict_verdict": str(graded.verdicts["strict"]),
    }


def _published(name: str, mode: str) -> list[Published]:
    known = BENCHMARKS[name].published if name in BENCHMARKS else None
    if known is None:
        return []
    found = [
        Published(model, mode, RESULTS[model, mode, known]) for model in MODELS if (model, mode, known) in RESULTS
    ]
    votes = RESULTS.get(("rl", "maj@64", known))
    return [*found, *([Published("rl", "maj@64", votes)] if votes is not None and mode == "cot" else [])]


def _percent(metric: Metric | None) -> str:
    """`43.2 (40.1 – 46.3)`."""
    return "" if metric is None else f"{100 * metric.value:.1f} ({100 * metric.low:.1f} – {100 * metric.high:.1f})"


def _main_metric(metrics: Sequence[Metric], name: str, filter: str = "flexible") -> Metric | None:
    """The metric of a benchmark that is compared with the published ones: greedy, or else the mean of the samples."""
    own = [metric for metric in metrics if metric.benchmark == name and metric.filter == filter]
    return next((one for one in own if one.name in ("greedy", "recorded")), next(iter(own), None))


def _single(
    tasks: Sequence[Task], names: list[str], metrics: list[Metric], published: dict[str, list[Published]]
) -> Section:
    header = ["Benchmark", "Problems", "What", "Flexible, %", "Strict, %"]
    rows = [[*header, *(f"{title}, published" for title in MODELS.values())]]
    for name in names:
        flexible, strict = _main_metric(metrics, name), _main_metric(metrics, name, "strict")
        size = BENCHMARKS[name].size if name in BENCHMARKS else None
        count = "0" if flexible is None else f"{flexible.problems:,}"
        beside = {one.model: f"{one.percent:.1f}" for one in published[name] if not one.mode.startswith("maj")}
        rows.append(
            [
                title_of(name),
                count if size is None or count == f"{size:,}" else f"{count} of {size:,}",
                "" if flexible is None else flexible.name,
                _percent(flexible),
                _percent(strict),
                *(beside.get(model, "") for model in MODELS),
            ]
        )
    forms = " or ".join(_ASKED_FOR[form] for form in dict.fromkeys(task.form for task in tasks))
    note = (
        "Accuracy with its 95 % interval over the problems (Wilson). Flexible: the answer wherever it is; strict: only "
        f"{forms or 'where it was asked for'}. Published: DeepSeekMath 7B, Tables 2, 3 and 5."
    )
    return Section(table=rows, note=note)


def _many(names: list[str], metrics: list[Metric]) -> Section:
    """Several samples per problem, flexible: the mean, and majority and pass of all samples."""
    rows = [["Benchmark", "Problems", "Mean, %", "Majority, %", "At least one, %", "RL maj@64, published"]]
    for name in names:
        own = {one.name: one for one in metrics if one.benchmark == name and one.filter == "flexible"}
        mean = next((metric for metric in own.values() if metric.name.startswith("avg@")), None)
        if mean is None:
            continue
        k = mean.name.removeprefix("avg@")
        votes = next((one.percent for one in _published(name, "cot") if one.mode == "maj@64"), None)
        rows.append(
            [
                title_of(name),
                f"{mean.problems:,}",
                *(
                    f"{kind}@{k} {_percent(own[f'{kind}@{k}'])}" if f"{kind}@{k}" in own else ""
                    for kind in ("avg", "maj", "pass")
                ),
                "" if votes is None else f"{votes:.1f}",
            ]
        )
    note = (
        "Several samples per problem, flexible. Majority: answers are grouped by equivalence; of equally large groups the "
        "first wins. At least one: the unbiased estimate. Intervals of means of fractions are somewhat too wide."
    )
    return Section(table=rows, note=note)


def _plots(names: list[str], metrics: list[Metric], published: dict[str, list[Published]]) -> list[Section]:
    if find_spec("matplotlib") is None:
        return [Section(note=f"{NO_PLOT} Then run `dsmath evaluate --rescore` on this folder.")]
    shown = [name for name in names if (main := _main_metric(metrics, name)) and main.problems >= PLOTTED_FROM]
    sections = []
    if shown:
        caption = "Accuracy by benchmark. Band: 95 % interval over the problems."
        sections.append(Section(plots={caption: _overview(shown, metrics, published)}))
    voted = [name for name in shown if any(one.benchmark == name and one.name.startswith("maj@") for one in metrics)]
    if voted:
        captions = {f"{title_of(name)}: several samples per problem, flexible.": name for name in voted}
        sections.append(Section(plots={caption: _curves(name, metrics) for caption, name in captions.items()}))
    if len(shown) < len(names):
        note = f"Benchmarks with fewer than {PLOTTED_FROM} problems are not plotted: their intervals are too wide."
        sections.append(Section(note=note))
    return sections


def _overview(names: list[str], metrics: list[Metric], published: dict[str, list[Published]]) -> str:
    """Accuracy of each benchmark with its interval, beside the published metrics."""
    flexible = [_main_metric(metrics, name) for name in names]
    strict = [_main_metric(metrics, name, "strict") for name in names]
    series = [
        Series(
            "flexible",
            [one.value if one else None for one in flexible],
            BLUE,
            intervals=[(one.low, one.high) if one else None for one in flexible],
            marker="o",
        ),
        Series("strict", [one.value if one else None for one in strict], BLUE, marker="|"),
    ]
    for model, (marker, color) in _MARKERS.items():
        by_name = {
            name: one.percent / 100
            for name in names
            for one in published[name]
            if one.model == model and not one.mode.startswith("maj")
        }
        series.append(
            Series(f"{MODELS[model]}, published", [by_name.get(name) for name in names], color, marker=marker)
        )
    return points("overview", [title_of(name) for name in names], series)


def _curves(name: str, metrics: list[Metric]) -> str:
    """pass@k, maj@k and the mean of one benchmark over k."""
    own = [one for one in metrics if one.benchmark == name and one.filter == "flexible" and "@" in one.name]
    mean = next(one for one in own if one.name.startswith("avg@"))
    series = []
    for kind, label, color in (("pass", "at least one (pass@k)", GREEN), ("maj", "majority (maj@k)", BLUE)):
        found = [(1, mean)] + [(int(one.name.split("@")[1]), one) for one in own if one.name.startswith(f"{kind}@")]
        ks, values = [k for k, _ in found], [one.value for _, one in found]
        series.append(Series(label, values, color, ks, [(one.low, one.high) for _, one in found], marker="o"))
    ends = (series[-1].x[0], series[-1].x[-1])
    series.append(Series("mean", [mean.value] * 2, ORANGE, ends, style="--"))
    return lines(f"curve-{name}", series, "samples k", log2=True)


def _warnings(scores: Scores) -> list[str]:
    found = [
        f"**{title_of(name)} is not complete**: {count:,} samples are missing. The metrics are over the problems that "
        "have all of theirs. Run the same command again."
        for name, count in scores.missing.items()
        if count
    ]
    found += [
        f"**{title_of(name)}: {count:,} problems do not fit** into the model with max_new_tokens beside them; they count "
        "as wrong."
        for name, count in scores.too_long.items()
        if count
    ]
    found += [
        f"{title_of(name)}: the gold of {count:,} problems cannot be read; they count as wrong."
        for name, count in scores.bad_golds.items()
        if count
    ]
    cut = [f"{title_of(name)} {count:,}" for name, count in scores.cut_off.items() if count]
    if cut:
        found.append(f"Samples that ran into max_new_tokens and were cut off: {', '.join(cut)}.")
    return found


def _examples(tasks: Sequence[Task], graded: Sequence[Graded]) -> list[Example]:
    """The first right and the first wrong completion of each benchmark."""
    by_key = {task.key: task for task in tasks}
    found: dict[tuple[str, bool], Example] = {}
    for one in graded:
        problem, right = by_key[one.key].problem, one.right("flexible")
        if (problem.benchmark, right) not in found:
            answers = [(filter, answer, one.right(filter)) for filter, answer in one.answers.items()]
            found[problem.benchmark, right] = Example(
                f"{title_of(problem.benchmark)}, problem {problem.index}, {'right' if right else 'wrong'}",
                shortened(problem.question, _LONGEST),
                [("right", problem.gold, None), *answers],
                shortened(one.completion, _LONGEST),
            )
    order = dict.fromkeys(task.problem.benchmark for task in tasks)
    return [found[name, right] for name in order for right in (True, False) if (name, right) in found]

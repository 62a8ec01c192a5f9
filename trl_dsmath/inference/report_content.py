"""What the report says: tables, differences of protocol, examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..data.benchmarks import BENCHMARKS
from ..paper import RESULTS
from .run import Task
from .score import Figure, Graded, Scores

MODELS = {"base": "Base", "instruct": "Instruct", "rl": "RL"}
_EXAMPLES = 2  # a benchmark: the first wrong and the first right one


@dataclass(frozen=True)
class Published:
    """A published figure beside which a benchmark is put: whose, in which mode, and in percent."""

    model: str
    mode: str
    percent: float


@dataclass(frozen=True)
class Example:
    """A problem and one completion."""

    title: str
    question: str
    gold: str
    completion: str
    answers: dict[str, str | None]
    right: dict[str, bool]


@dataclass(frozen=True)
class Content:
    """Everything that a report says.

    Attributes:
        model (`str`):
            What was evaluated.
        figures (`list[Figure]`):
            All figures.
        published (`dict[str, list[Published]]`):
            By benchmark, the published figures of the same mode.
        tables (`list[tuple[str, list[list[str]]]]`):
            Caption and rows, the first row the heads.
        warnings (`list[str]`):
            What is missing or was cut off.
        differences (`list[str]`):
            How this differs from the published protocol.
        examples (`list[Example]`):
            A few completions.
        versions (`str`):
            Settings and versions in one line.
    """

    model: str
    figures: list[Figure]
    published: dict[str, list[Published]]
    tables: list[tuple[str, list[list[str]]]]
    warnings: list[str]
    differences: list[str]
    examples: list[Example]
    versions: str


def title_of(name: str) -> str:
    """The name of a benchmark for people."""
    return BENCHMARKS[name].title if name in BENCHMARKS else name


def collect(tasks: Sequence[Task], scores: Scores, record: dict[str, Any]) -> Content:
    """Gathers the report of an evaluation."""
    names = list(dict.fromkeys(task.problem.benchmark for task in tasks))
    mode = tasks[0].mode if tasks else "cot"
    published = {name: _published(name, mode) for name in names}
    tables = [(_caption(tasks), _single(names, scores.figures, published))]
    if any(figure.name.startswith("maj@") for figure in scores.figures):
        tables.append((_many_caption(scores.figures), _many(names, scores.figures)))
    settings = record.get("settings") or {}
    line = ", ".join(f"{key} {value}" for key, value in settings.items() if value not in (None, False, [], ()))
    installed = ", ".join(f"{name} {number}" for name, number in (record.get("versions") or {}).items())
    return Content(
        str(record.get("model") or record.get("engine") or "recorded completions"),
        scores.figures,
        published,
        tables,
        _warnings(scores),
        _differences(tasks, names, published),
        _examples(tasks, scores.graded),
        f"Settings: {line}. Versions: {installed}." if line else f"Versions: {installed}.",
    )


def _published(name: str, mode: str) -> list[Published]:
    known = BENCHMARKS[name].published if name in BENCHMARKS else None
    if known is None:
        return []
    found = [
        Published(model, mode, RESULTS[model, mode, known]) for model in MODELS if (model, mode, known) in RESULTS
    ]
    votes = RESULTS.get(("rl", "maj@64", known))
    return [*found, *([Published("rl", "maj@64", votes)] if votes is not None and mode == "cot" else [])]


def percent(figure: Figure | None) -> str:
    """`43.2 (40.1 - 46.3)`."""
    return "" if figure is None else f"{100 * figure.value:.1f} ({100 * figure.low:.1f} – {100 * figure.high:.1f})"


def headline(figures: Sequence[Figure], name: str, reading: str = "flexible") -> Figure | None:
    """The one figure of a benchmark that stands beside the published ones: greedy, or else the mean of the samples."""
    own = [figure for figure in figures if figure.benchmark == name and figure.reading == reading]
    return next((f for f in own if f.name in ("greedy", "recorded")), next(iter(own), None))


def _single(names: list[str], figures: list[Figure], published: dict[str, list[Published]]) -> list[list[str]]:
    rows = [
        [
            "Benchmark",
            "Problems",
            "What",
            "Flexible, %",
            "Strict, %",
            *(f"{title}, published" for title in MODELS.values()),
        ]
    ]
    for name in names:
        flexible = headline(figures, name)
        size = BENCHMARKS[name].size if name in BENCHMARKS else None
        count = "0" if flexible is None else f"{flexible.problems:,}"
        beside = {one.model: f"{one.percent:.1f}" for one in published[name] if not one.mode.startswith("maj")}
        rows.append(
            [
                title_of(name),
                count if size is None or count == f"{size:,}" else f"{count} of {size:,}",
                "" if flexible is None else flexible.name,
                percent(flexible),
                percent(headline(figures, name, "strict")),
                *(beside.get(model, "") for model in MODELS),
            ]
        )
    return rows


def _many(names: list[str], figures: list[Figure]) -> list[list[str]]:
    """The figures of several samples, flexible reading: the mean, and votes and passes of the most samples."""
    rows = [["Benchmark", "Problems", "Mean, %", "Majority, %", "At least one, %", "RL maj@64, published"]]
    for name in names:
        own = [figure for figure in figures if figure.benchmark == name and figure.reading == "flexible"]
        mean = next((figure for figure in own if figure.name.startswith("avg@")), None)
        if mean is None:
            continue
        k = mean.name.removeprefix("avg@")
        by_name = {figure.name: figure for figure in own}
        votes = next((one.percent for one in _published(name, "cot") if one.mode == "maj@64"), None)
        rows.append(
            [
                title_of(name),
                f"{mean.problems:,}",
                f"avg@{k} {percent(mean)}",
                f"maj@{k} {percent(by_name[f'maj@{k}'])}" if f"maj@{k}" in by_name else "",
                f"pass@{k} {percent(by_name[f'pass@{k}'])}" if f"pass@{k}" in by_name else "",
                "" if votes is None else f"{votes:.1f}",
            ]
        )
    return rows


def _caption(tasks: Sequence[Task]) -> str:
    return (
        "Accuracy with its 95 % interval over the problems (Wilson). Flexible: the answer wherever it stands; strict: only "
        f"{_asked_for(tasks)}. Published: DeepSeekMath 7B, Tables 2, 3 and 5."
    )


def _asked_for(tasks: Sequence[Task]) -> str:
    forms = dict.fromkeys(task.form for task in tasks)
    said = {
        "box": "in the box",
        "sentence": "in the closing sentence of the examples",
        "program": "what the program printed",
    }
    return " or ".join(said[form] for form in forms) or "where it was asked for"


def _many_caption(figures: list[Figure]) -> str:
    return (
        "Several samples a problem, flexible reading. Majority: classes of equal answers, of equally large ones the first. "
        "At least one: the unbiased estimate. Intervals of means of fractions are somewhat too wide."
    )


def _warnings(scores: Scores) -> list[str]:
    found = []
    for name, count in scores.missing.items():
        if count:
            found.append(
                f"**{title_of(name)} is not complete**: {count:,} samples are missing. The figures are over the problems that "
                "have all of theirs. Run the same command again."
            )
    for name, count in scores.too_long.items():
        if count:
            found.append(
                f"**{title_of(name)}: {count:,} problems do not fit** into the model with max_new_tokens beside them; they "
                "count as wrong."
            )
    for name, count in scores.bad_golds.items():
        if count:
            found.append(f"{title_of(name)}: the gold of {count:,} problems cannot be read; they count as wrong.")
    cut = [f"{title_of(name)} {count:,}" for name, count in scores.cut_off.items() if count]
    if cut:
        found.append(f"Samples that ran into max_new_tokens and were cut off: {', '.join(cut)}.")
    return found


def _differences(tasks: Sequence[Task], names: list[str], published: dict[str, list[Published]]) -> list[str]:
    found = [
        "Answers are judged by `trl_dsmath.grading`, not by the authors' grader. Theirs also accepts an answer that is "
        "100 times too large or too small, numbers that differ by less than 0.001, and compares OCW's formulas as strings."
    ]
    if any(task.way == "recorded" for task in tasks):
        found.append("The completions were recorded elsewhere: prompt, model and decoding are not known here.")
    counts = {name: len({task.problem.index for task in tasks if task.problem.benchmark == name}) for name in names}
    part = [name for name in names if name in BENCHMARKS and counts[name] != BENCHMARKS[name].size]
    if part:
        found.append(
            "Not the whole test set: "
            + ", ".join(f"{title_of(name)} {counts[name]:,} of {BENCHMARKS[name].size:,}" for name in part)
            + ". The interval covers the choice of problems; the published figures are over all."
        )
    shown = [name for name in names if any(t.form == "sentence" for t in tasks if t.problem.benchmark == name)]
    programs = [task for task in tasks if task.mode == "pot"]
    few_shot = [
        name for name in names if name in shown or any(str(task.prompt).endswith("```python\n") for task in programs)
    ]
    if few_shot:
        found.append(
            "The worked examples are of our own wording, in the published number, and their form (question, solution, "
            "closing sentence) is the same for all benchmarks."
        )
        if "ocw" in few_shot:
            found.append("OCW: 4 examples, as the authors' file is named; the file itself holds 8.")
        bare = [title_of(name) for name in few_shot if name in BENCHMARKS and not BENCHMARKS[name].shots]
        if bare:
            found.append(f"The paper shows no examples for {', '.join(bare)}; those of a like benchmark were used.")
        found.append("Few-shot prompts are how the paper tests Base; its Instruct and RL figures are zero-shot.")
    elif any(task.form == "box" for task in tasks) and any(task.way != "recorded" for task in tasks):
        found.append("Zero-shot prompts are how the paper tests Instruct and RL; its Base figures are few-shot.")
    if programs and not few_shot:
        found.append(
            "Zero-shot programs: the authors' tool prompt, the programs of the first round run once. The paper has no such "
            "figure."
        )
    elif programs:
        found.append(
            "All programs print their answer; the authors' call `solution()` (GSM8K) or read `answer` (MATH)."
        )
    if "math500" in names:
        found.append("MATH-500 is a subset of 500 problems; the published figures are over the 5,000 of MATH.")
    if any(task.way == "sampled" for task in tasks):
        decoding = next(task.decoding for task in tasks if task.way == "sampled")
        found.append(
            f"Samples are drawn at temperature {decoding.temperature:g}, top-p {decoding.top_p:g}; the paper's Figure 7 has "
            "0.7, and it does not say at which temperature its maj@64 was measured."
        )
    if any(
        decoding != 1024 for decoding in {task.decoding.max_new_tokens for task in tasks if task.way != "recorded"}
    ):
        lengths = sorted({task.decoding.max_new_tokens for task in tasks})
        found.append(f"Samples have at most {', '.join(map(str, lengths))} tokens; the authors' harness allows 1,024.")
    without = [title_of(name) for name in names if not published[name]]
    if without:
        found.append(f"No published figure in this mode: {', '.join(without)}.")
    return found


def _examples(tasks: Sequence[Task], graded: Sequence[Graded]) -> list[Example]:
    by_key = {task.key: task for task in tasks}
    found: dict[tuple[str, bool], Example] = {}
    for one in graded:
        problem = by_key[one.key].problem
        right = one.right("flexible")
        found.setdefault(
            (problem.benchmark, right),
            Example(
                f"{title_of(problem.benchmark)}, problem {problem.index}, {'right' if right else 'wrong'}",
                problem.question,
                problem.gold,
                one.completion,
                one.answers,
                {reading: one.right(reading) for reading in one.answers},
            ),
        )
    order = list(dict.fromkeys(task.problem.benchmark for task in tasks))
    return [found[name, right] for name in order for right in (True, False) if (name, right) in found]

"""Samples to metrics: every sample is judged by two filters, every metric with its number of problems and its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..data.reading import flexible_answer, strict_answer
from ..grading import TIME_LIMIT, Verdict, judge, judge_printed
from ..grading.metrics import maj_at_k, pass_at_k, wilson
from ..grading.votes import equivalence_classes
from .run import Task

FILTERS = ("flexible", "strict")


@dataclass(frozen=True)
class Graded:
    """A sample that was judged, by filter: `"flexible"`, `"strict"`, and with tools `"program"` (what the last one printed)."""

    key: str  # of its task
    sample: int  # its number
    completion: str
    answers: dict[str, str | None]
    verdicts: dict[str, Verdict]

    def right(self, filter: str) -> bool:
        """Whether the answer that a filter extracts is right."""
        return self.verdicts.get(filter) is Verdict.CORRECT


@dataclass(frozen=True)
class Metric:
    """One number of the report, such as the greedy accuracy on a benchmark.

    Attributes:
        benchmark (`str`):
            Name of the benchmark.
        name (`str`):
            `"greedy"`, `"avg@k"`, `"maj@k"` or `"pass@k"`, `k` a number.
        filter (`str`):
            `"flexible"`, `"strict"`, or `"program"`.
        value (`float`):
            From 0 to 1.
        low (`float`):
            Lower end of the 95 % interval over problems.
        high (`float`):
            Its upper end.
        problems (`int`):
            Problems that it is over.
    """

    benchmark: str
    name: str
    filter: str
    value: float
    low: float
    high: float
    problems: int


@dataclass(frozen=True)
class Scores:
    """What [`score`] finds.

    Attributes:
        metrics (`list[Metric]`):
            All metrics.
        graded (`list[Graded]`):
            All samples of the plan.
        missing (`dict[str, int]`):
            By benchmark, the number of samples that are planned and not there.
        too_long (`dict[str, int]`):
            By benchmark, problems that did not fit into the model and count as wrong.
        bad_golds (`dict[str, int]`):
            By benchmark, problems whose gold cannot be read; they count as wrong.
        cut_off (`dict[str, int]`):
            By benchmark, samples that ran into their longest length.
    """

    metrics: list[Metric]
    graded: list[Graded]
    missing: dict[str, int]
    too_long: dict[str, int]
    bad_golds: dict[str, int]
    cut_off: dict[str, int]

    @property
    def complete(self) -> bool:
        """Whether no sample is missing. Problems that are too long for the model are counted, and no run can mend them."""
        return not any(self.missing.values())


def score(tasks: Sequence[Task], samples: Sequence[dict[str, Any]], time_limit: float = TIME_LIMIT) -> Scores:
    """
    Judges samples.

    Problems without all of their samples are left out of the metrics (and counted in `missing`); problems that were too
    long for the model count as wrong.

    Args:
        tasks (`Sequence[Task]`):
            The plan.
        samples (`Sequence[dict]`):
            Lines of `samples.jsonl`: `key`, `sample`, `completion`. Those of other plans are skipped.
        time_limit (`float`, *optional*, defaults to `5.0`):
            Seconds of CPU time for one answer that needs computer algebra.

    Returns:
        [`Scores`]
    """
    by_key = {task.key: task for task in tasks}
    mine = [row for row in samples if row["key"] in by_key and row["sample"] < by_key[row["key"]].samples]
    graded = grade_samples([by_key[row["key"]] for row in mine], mine, time_limit)
    groups: dict[str, list[Graded]] = {}
    for sample in graded:
        groups.setdefault(sample.key, []).append(sample)
    names = list(dict.fromkeys(task.problem.benchmark for task in tasks))
    missing, too_long, bad, cut = (dict.fromkeys(names, 0) for _ in range(4))
    metrics = []
    for name in names:
        own = [task for task in tasks if task.problem.benchmark == name]
        for decoding in dict.fromkeys(task.decoding for task in own):
            here = [task for task in own if task.decoding == decoding]
            missing[name] += sum(task.samples - len(groups.get(task.key, [])) for task in here if not task.too_long)
            whole = [
                sorted(groups.get(task.key, []), key=lambda one: one.sample)
                for task in here
                if task.too_long or len(groups.get(task.key, [])) == task.samples
            ]
            if whole:
                programs = ("program",) if decoding != "recorded" and "tool" in {task.mode for task in here} else ()
                drawn = min(task.samples for task in here)
                metrics += _metrics(name, decoding, whole, drawn, (*FILTERS, *programs), time_limit)
        first = own[0].decoding
        too_long[name] = sum(task.too_long for task in own if task.decoding == first)
        bad[name] = sum(
            any(one.verdicts["flexible"] is Verdict.BAD_GOLD for one in groups.get(task.key, []))
            for task in own
            if task.decoding == first
        )
        cut[name] = sum(not row.get("finished", True) for row in mine if row["key"] in {task.key for task in own})
    return Scores(metrics, graded, missing, too_long, bad, cut)


def grade_samples(
    tasks: Sequence[Task], rows: Sequence[dict[str, Any]], time_limit: float = TIME_LIMIT
) -> list[Graded]:
    """Reads and judges samples, each with its task."""
    golds = [task.problem.gold for task in tasks]
    answers: dict[str, list[str | None]] = {"flexible": [], "strict": [], "program": []}
    for task, row in zip(tasks, rows, strict=True):
        text, kind = row["completion"], task.problem.kind
        printed = row.get("printed")
        answers["flexible"].append(flexible_answer(text, kind, printed))
        answers["strict"].append(strict_answer(text, kind, task.form))
        answers["program"].append(printed)
    if not any(answers["program"]):
        del answers["program"]
    answers["flexible"] = _letters_of_options(tasks, answers["flexible"], time_limit)
    printed_by_all = all(task.form == "program" for task in tasks)  # a run has one mode
    verdicts: dict[str, list[Verdict]] = {}
    for filter, found in answers.items():
        judging = judge_printed if filter == "program" or printed_by_all else judge
        verdicts[filter] = judging(found, golds, time_limit)
    return [
        Graded(
            row["key"],
            row["sample"],
            row["completion"],
            {filter: found[i] for filter, found in answers.items()},
            {filter: found[i] for filter, found in verdicts.items()},
        )
        for i, row in enumerate(rows)
    ]


def _letters_of_options(tasks: Sequence[Task], answers: list[str | None], time_limit: float) -> list[str | None]:
    r"""Where the words of an option were given instead of its letter (`\boxed{12}`), the letter."""
    open_ones = [
        (i, answer, task.problem.options)
        for i, (task, answer) in enumerate(zip(tasks, answers, strict=True))
        if task.problem.kind == "choice" and answer and task.problem.options and not set(answer) <= set("ABCDEFGHIJ")
    ]
    pairs = [(answer, option) for _, answer, options in open_ones for option in options]
    verdicts = iter(judge([answer for answer, _ in pairs], [option for _, option in pairs], time_limit))
    found = list(answers)
    for i, _, options in open_ones:
        equal = [chr(ord("A") + j) for j in range(len(options)) if next(verdicts) is Verdict.CORRECT]
        if len(equal) == 1:
            (found[i],) = equal
    return found


def _votes(answers: Sequence[str | None], time_limit: float) -> list[int | None]:
    """The class of each answer; `None` for no answer. The gold is not looked at."""
    found: list[int | None] = [None] * len(answers)
    for number, members in enumerate(equivalence_classes(answers, time_limit)):
        for i in members:
            found[i] = number
    return found


def ks(samples: int) -> list[int]:
    """1, 2, 4 ... and the number of samples itself."""
    return sorted({2**i for i in range(samples.bit_length())} | {samples})


def _metrics(
    name: str, decoding: str, problems: list[list[Graded]], samples: int, filters: Sequence[str], time_limit: float
) -> list[Metric]:
    """The metrics of one benchmark and decoding; a problem without samples was too long, and is wrong."""

    def metric(what: str, filter: str, values: list[float]) -> Metric:
        low, high = wilson(sum(values), len(values))
        return Metric(name, what, filter, sum(values) / len(values), low, high, len(values))

    found = []
    for filter in filters:
        right = [[one.right(filter) for one in group] for group in problems]
        if decoding == "greedy" or samples == 1:
            what = "greedy" if decoding == "greedy" else "recorded" if decoding == "recorded" else "avg@1"
            found.append(metric(what, filter, [sum(g) / len(g) if g else 0.0 for g in right]))
            continue
        found.append(metric(f"avg@{samples}", filter, [sum(g) / len(g) if g else 0.0 for g in right]))
        votes = [_votes([one.answers.get(filter) for one in group], time_limit) for group in problems]
        for k in ks(samples)[1:]:
            values = [maj_at_k(v, g, k) if g else 0.0 for v, g in zip(votes, right, strict=True)]
            found.append(metric(f"maj@{k}", filter, values))
        for k in ks(samples)[1:]:
            found.append(metric(f"pass@{k}", filter, [pass_at_k(sum(g), len(g), k) if g else 0.0 for g in right]))
    return found

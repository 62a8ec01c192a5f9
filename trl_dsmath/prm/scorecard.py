"""A process reward model on benchmarks, beside published figures: by its own scores or by recorded ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.files import read_jsonl
from ..data.journal import Journal
from ..errors import DataError
from .benchmarks import MR_GSM8K, PRMBENCH, PRMBENCH_CLASSES, PROCESSBENCH, Labelled
from .metrics import THRESHOLD, auroc, first_error, harmonic_mean, step_metrics

if TYPE_CHECKING:
    from .scorer import StepScorer

ALL = "all"
# Published figures in percent by group. ProcessBench: F1 (arXiv 2412.06559 and 2501.07301). PRMBench: PRMScore (its
# repository). MR-GSM8K: prompted models without examples (its repository); no reward model is in its table.
_SUBSETS = ("gsm8k", "math", "olympiadbench", "omnimath")
_CLASSES = (ALL, *PRMBENCH_CLASSES.values())
PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    PROCESSBENCH: {
        "Math-Shepherd-7B": dict(zip(_SUBSETS, (47.9, 29.5, 24.8, 23.8), strict=True)),
        "Skywork-PRM-7B": dict(zip(_SUBSETS, (70.8, 53.6, 22.9, 21.0), strict=True)),
        "Qwen2.5-Math-PRM-7B": dict(zip(_SUBSETS, (82.4, 77.6, 67.5, 66.3), strict=True)),
    },
    PRMBENCH: {
        "Math-Shepherd-7B": dict(
            zip(_CLASSES, (47.0, 44.0, 50.3, 49.4, 44.5, 41.3, 47.7, 47.2, 48.6, 86.1), strict=True)
        ),
        "RLHFlow-Mistral-8B": dict(
            zip(_CLASSES, (54.4, 46.1, 47.3, 56.6, 55.1, 54.4, 63.8, 51.5, 56.2, 97.9), strict=True)
        ),
        "Skywork-PRM-7B": dict(
            zip(_CLASSES, (65.1, 56.4, 62.8, 69.4, 67.1, 67.7, 69.9, 60.9, 65.8, 93.2), strict=True)
        ),
        "Qwen2.5-Math-PRM-7B": dict(
            zip(_CLASSES, (65.5, 49.0, 55.1, 71.8, 67.3, 66.3, 78.5, 57.6, 69.1, 99.7), strict=True)
        ),
    },
    MR_GSM8K: {
        "DeepSeekMath-7B-RL: MCC": {ALL: 30.4},
        "GPT-4-Turbo: MCC": {ALL: 63.3},
        "GPT-4-Turbo: found in wrong": {ALL: 48.8},
    },
}
# Metrics of a table, the one of the benchmark's authors first.
_ROWS = {
    PROCESSBENCH: {
        "first_error_f1": "F1",
        "error_accuracy": "found in wrong",
        "correct_accuracy": "none found in right",
    },
    PRMBENCH: {"prm_score": "PRMScore"},
    MR_GSM8K: {
        "mcc": "MCC",
        "error_accuracy": "found in wrong",
        "prm_score": "macro F1 of steps",
        "solution_auroc": "AUROC of solutions",
    },
}


def read_scores(path: str | Path, solutions: Sequence[Labelled]) -> list[np.ndarray]:
    """
    Recorded scores of steps.

    Args:
        path (`str` or `Path`):
            JSON lines of `id` (or `idx`, `uuid`) and `scores`, one per step; also what PRMBench's toolkit writes, with
            `step_level_validity_scores` in them.
        solutions (`Sequence[Labelled]`):
            The solutions of the benchmarks.

    Raises:
        DataError: a solution has no scores, or not one per step.
    """
    rows, broken = read_jsonl(Path(path))
    if broken:
        raise DataError(f"{path}, line {broken[0]}, is no JSON object. Write one row of id and scores per line.")
    known: dict[str, list[Any]] = {}
    for row in rows:
        name = next((str(row[key]) for key in ("id", "idx", "uuid") if row.get(key) is not None), "")
        scores = row.get("scores")
        known.setdefault(name, []).append(
            scores.get("step_level_validity_scores") if isinstance(scores, Mapping) else scores
        )
    if missing := [one.id for one in solutions if one.id not in known]:
        raise DataError(
            f"{path} has no scores for {len(missing):,} of {len(solutions):,} solutions, such as {missing[0]}."
        )
    found = []
    for one in solutions:  # PRMBench has two solutions of some names
        scores = next((row for row in known[one.id] if _are_scores(row, len(one.steps))), None)
        if scores is None:
            raise DataError(
                f"{path}: {one.id} needs {len(one.steps)} numbers in scores, one per step, not {known[one.id][0]}."
            )
        found.append(np.array(scores, dtype=float))
    return found


def _are_scores(row: Any, steps: int) -> bool:
    return isinstance(row, list) and len(row) == steps and all(isinstance(score, int | float) for score in row)


def score_solutions(
    solutions: Sequence[Labelled], scorer: "StepScorer", file: Path, name: str, at_once: int = 64
) -> list[np.ndarray]:
    """
    Scores solutions by a model. They are written as they come, in the form that [`read_scores`] reads; a run that was stopped goes on.

    `name` is the model's name or folder: scores of another one are not mixed with these.
    """
    with Journal(file, ("id",), {"model": str(name)}, holds="scores") as journal:
        left = [one for one in solutions if (one.id,) not in journal.done]
        for start in range(0, len(left), at_once):
            part = left[start : start + at_once]
            scores = scorer([one.problem for one in part], steps=[one.steps for one in part])
            journal.append({"id": one.id, "scores": row} for one, row in zip(part, scores, strict=True))
    return read_scores(file, solutions)


def tune_threshold(solutions: Sequence[Labelled], scores: Sequence[np.ndarray]) -> float | None:
    """
    The threshold with the best first-error F1 on ProcessBench's GSM8K subset, which its authors take for all subsets.

    Between two neighbouring scores all thresholds are the same; of equally good ones the nearest to 0.5 is taken.

    Returns:
        `float` or `None`: `None` without that subset, or without both right and wrong solutions in it.

    Source: ProcessBench (arXiv 2412.06559), for reward models that give a score and no label.
    """
    chosen = [i for i, one in enumerate(solutions) if (one.benchmark, one.group) == (PROCESSBENCH, "gsm8k")]
    errors = np.array([first_error(~(solutions[i].labels < THRESHOLD)) for i in chosen])
    if not chosen or errors.max() < 0 or errors.min() >= 0:
        return None
    found = np.unique(np.concatenate([scores[i] for i in chosen]))
    # Below all scores no error is found, above them no solution is right: F1 0.
    candidates = [THRESHOLD, *(found[:-1] + found[1:]) / 2]
    # Lowest score so far: the first step below a threshold is the first where this is.
    lowest_NS = np.full((len(chosen), max(len(scores[i]) for i in chosen)), -np.inf)
    for row, i in zip(lowest_NS, chosen, strict=True):
        row[: len(scores[i])] = np.minimum.accumulate(scores[i])
        row[len(scores[i]) :] = row[len(scores[i]) - 1]
    wrong = errors >= 0

    def f1(threshold: float) -> float:
        below_NS = lowest_NS <= threshold
        predicted = np.where(below_NS.any(axis=1), below_NS.argmax(axis=1), -1)
        return harmonic_mean(float((predicted == errors)[wrong].mean()), float((predicted == errors)[~wrong].mean()))

    return float(max(candidates, key=lambda threshold: (f1(threshold), -abs(threshold - THRESHOLD))))


def figures(
    solutions: Sequence[Labelled], scores: Sequence[np.ndarray], threshold: float = THRESHOLD
) -> dict[str, float]:
    """
    How well scores find errors.

    Args:
        solutions (`Sequence[Labelled]`):
            Solutions of a benchmark.
        scores (`Sequence[np.ndarray]`):
            The scores of their steps.
        threshold (`float`, *optional*, defaults to `0.5`):
            A step whose score is not above it counts as wrong.

    Returns:
        `dict[str, float]`: [`~trl_dsmath.prm.metrics.step_metrics`], and, where they are defined:

            - `prm_score`: mean of the F1 of right steps and the F1 of wrong steps (PRMBench; ReasonEval's macro F1); the first alone
              where no step is wrong.
            - `solution_auroc`: of the solutions, by their lowest score.
            - `mcc`: Matthews correlation of "no step is wrong" (MR-GSM8K).
    """
    found = step_metrics(list(scores), [one.labels for one in solutions], threshold)
    known = [~np.isnan(one.labels) for one in solutions]
    right = np.concatenate([one.labels[k] for one, k in zip(solutions, known, strict=True)]) >= THRESHOLD
    said = np.concatenate([row[k] for row, k in zip(scores, known, strict=True)]) > threshold
    parts = [_f1(said, right), *([_f1(~said, ~right)] if not right.all() else [])]
    found["prm_score"] = sum(parts) / len(parts)
    whole = np.array([(one.labels[k] >= THRESHOLD).all() for one, k in zip(solutions, known, strict=True)])
    lowest = np.array([row.min() for row in scores])
    if (area := auroc(lowest, whole)) is not None:
        found["solution_auroc"] = area
        found["mcc"] = float(np.corrcoef(lowest > threshold, whole)[0, 1]) if len(set(lowest > threshold)) > 1 else 0.0
    return found


def scorecard(
    solutions: Sequence[Labelled], scores: Sequence[np.ndarray], threshold: float | None = None
) -> dict[str, Any]:
    """
    The figures of each benchmark and group at the tuned threshold and at 0.5.

    Args:
        solutions (`Sequence[Labelled]`), scores (`Sequence[np.ndarray]`):
            The solutions with the scores of their steps.
        threshold (`float`, *optional*):
            Instead of the one of [`tune_threshold`].

    Returns:
        `dict`: `threshold` (`None` where nothing was tuned) and, under `benchmarks`, by benchmark and group (`all` for the whole):
            `solutions`, `tuned` and `at_half`, the [`figures`].
    """
    tuned = tune_threshold(solutions, scores) if threshold is None else threshold
    found: dict[str, dict[str, Any]] = {}
    for benchmark in dict.fromkeys(one.benchmark for one in solutions):
        members = [i for i, one in enumerate(solutions) if one.benchmark == benchmark]
        groups = dict.fromkeys(solutions[i].group for i in members)
        for group in (ALL, *sorted(groups, key=lambda name: (*_CLASSES, name).index(name))):
            chosen = [i for i in members if group in (ALL, solutions[i].group)]
            part = [solutions[i] for i in chosen], [scores[i] for i in chosen]
            found.setdefault(benchmark, {})[group] = {
                "solutions": len(chosen),
                "tuned": figures(*part, tuned if tuned is not None else THRESHOLD),
                "at_half": figures(*part),
            }
        if benchmark == PROCESSBENCH:  # its authors' average is over subsets
            for at in ("tuned", "at_half"):
                parts = [row[at].get("first_error_f1") for name, row in found[benchmark].items() if name != ALL]
                if None not in parts:
                    found[benchmark][ALL][at]["first_error_f1"] = sum(parts) / len(parts)
    return {"threshold": tuned, "benchmarks": found}


def scorecard_tables(card: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    """A scorecard in percent: a table for each benchmark, its groups as columns, the published figures below."""
    tables = {}
    for benchmark, groups in card["benchmarks"].items():
        shown = _ROWS[benchmark] | {"auroc": "AUROC of steps"}
        rows = {title: [row["tuned"].get(metric) for row in groups.values()] for metric, title in shown.items()}
        metric, title = next(iter(shown.items()))
        rows[f"{title} at 0.5"] = [row["at_half"].get(metric) for row in groups.values()]
        tables[benchmark] = [
            [benchmark, *groups],
            ["solutions", *(f"{row['solutions']:,}" for row in groups.values())],
            *([name, *("-" if one is None else f"{100 * one:.1f}" for one in row)] for name, row in rows.items()),
            *(
                [name, *(f"{row[g]:.1f}" if g in row else "-" for g in groups)]
                for name, row in PUBLISHED[benchmark].items()
            ),
        ]
    return tables


def _f1(said: np.ndarray, true: np.ndarray) -> float:
    both = int((said & true).sum())
    return 2 * both / int(said.sum() + true.sum()) if said.any() or true.any() else 0.0

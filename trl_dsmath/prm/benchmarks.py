"""Benchmarks of process reward models in their published formats: ProcessBench, PRMBench, MR-GSM8K."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.files import load
from ..errors import DataError

PROCESSBENCH, PRMBENCH, MR_GSM8K = "ProcessBench", "PRMBench", "MR-GSM8K"
# PRMBench's abbreviations, in the order of its tables.
PRMBENCH_CLASSES = {
    "redundency": "NR", "circular": "NCL", "counterfactual": "ES", "step_contradiction": "SC", "domain_inconsistency": "DC",
    "confidence": "CI", "missing_condition": "PS", "deception": "DR", "multi_solutions": "MS",
}  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """A solution with a label for each step: 1 if right, 0 if wrong, NaN where the benchmark says nothing (after a first error)."""

    benchmark: str
    group: str  # subset (ProcessBench), class of error (PRMBench) or type of question (MR-GSM8K)
    id: str  # its name in the benchmark; for PRMBench `CLASS_idx`, since one idx is used by several classes
    problem: str
    steps: list[str]
    labels: np.ndarray


def read_benchmarks(names: Sequence[str]) -> list[Labelled]:
    """
    Reads benchmarks; which one a data set is follows from its columns.

    Args:
        names (`Sequence[str]`):
            Files, folders or names on the hub.

    Raises:
        DataError: one cannot be read, or is none of the three.
    """
    found: dict[tuple[str, str], Labelled] = {}
    for name in names:
        for split, rows in load(name)[0].items():
            columns = set(rows.column_names)
            if {"steps", "label", "problem"} <= columns:
                read = _processbench(rows, split)
            elif {"modified_process", "error_steps", "classification"} <= columns:
                read = _prmbench(rows)
            elif {"model_output_steps", "model_output_solution_first_error_step"} <= columns:
                read = _mr_gsm8k(rows)
            else:
                raise DataError(
                    f"{name}, {split}, is not in the format of ProcessBench (steps, label), PRMBench (modified_process, error_steps) "
                    f"or MR-GSM8K (model_output_steps, model_output_solution_first_error_step); its columns are {', '.join(rows.column_names)}."
                )
            for one in read:
                found.setdefault((one.benchmark, one.id), one)
    return list(found.values())


def _until(error: int, steps: int) -> np.ndarray:
    """Labels by the index of the first error; -1: there is none."""
    places = np.arange(steps)
    return np.ones(steps) if error < 0 else np.where(places < error, 1.0, np.where(places == error, 0.0, np.nan))


def _processbench(rows: Any, split: str) -> Iterator[Labelled]:
    for row in rows:
        subset = str(row["id"]).rpartition("-")[0] or split
        steps = list(row["steps"])
        yield Labelled(PROCESSBENCH, subset, row["id"], row["problem"], steps, _until(row["label"], len(steps)))


def _prmbench(rows: Any) -> Iterator[Labelled]:
    for row in rows:
        kind, steps = row["classification"], list(row["modified_process"])
        labels = np.ones(len(steps))
        labels[[number - 1 for number in row["error_steps"] if number <= len(steps)]] = 0.0
        name = row["idx"] if row["idx"].startswith(kind) else f"{kind}_{row['idx']}"
        yield Labelled(PRMBENCH, PRMBENCH_CLASSES.get(kind, kind), name, row["modified_question"], steps, labels)


def _mr_gsm8k(rows: Any) -> Iterator[Labelled]:
    for row in rows:
        steps = list(row["model_output_steps"])
        error = str(row["model_output_solution_first_error_step"])
        right = row["model_output_solution_correctness"] == "correct"
        if not right and not error.isdigit():
            continue  # wrong as a whole, at no step
        labels = _until(-1 if right else int(error) - 1, len(steps))
        yield Labelled(MR_GSM8K, row.get("question_type") or "all", row["uuid"], row["question"], steps, labels)

"""Rows of steps and labels (`prompt`, `completions`, `labels`) as token ids with labels at the score positions."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..data.files import first_few
from ..errors import DataError
from .layouts import StepEncoder

if TYPE_CHECKING:
    from datasets import Dataset

COLUMNS = ("prompt", "completions", "labels")
NOTHING_LABELLED = "no step has a label"
TOO_LONG = "no labelled step within max_length"


@dataclass
class Prepared:
    """A data set ready for training."""

    dataset: "Dataset"  # columns `input_ids`, `positions`, `completion_start`, `labels`
    rows: int  # that there were
    dropped: dict[str, list[int]] = field(default_factory=dict)  # reasons, each with the numbers (from 0) of its rows
    cut_rows: int = 0  # of which only the steps within `max_length` are used

    def report(self) -> str:
        """One line: rows used, rows dropped with reasons, rows cut."""
        dropped = self.rows - len(self.dataset)
        parts = [f"{len(self.dataset):,} rows used, {dropped:,} dropped"]
        for reason, numbers in self.dropped.items():
            parts.append(f"{reason}: {len(numbers):,} (row {first_few(numbers)})")
        if self.cut_rows:
            parts.append(f"{self.cut_rows:,} rows lose the steps beyond max_length")
        return "; ".join(parts)


def prepare(
    dataset: "Dataset",
    encoder: StepEncoder,
    max_length: int | None = None,
    last_step_only: bool = False,
    num_proc: int | None = None,
    name: str = "train",
) -> Prepared:
    """Tokenizes a data set of steps and labels.

    A label is True, False or a number from 0 to 1 (the share of rollouts that were right); None leaves a step
    unlabelled. A step that is scored beyond `max_length` is left out, and the ones before it are kept.

    Args:
        dataset ([`~datasets.Dataset`]):
            Columns `prompt` (text or messages), `completions` (the steps) and `labels` (one per step).
        last_step_only (`bool`, *optional*, defaults to `False`):
            Whether to keep the label of the last step only.
        name (`str`, *optional*, defaults to `"train"`):
            What to call the data set in messages.

    Raises:
        DataError: a column is missing, a row has no label at all, or no row can be used.
    """
    if {"input_ids", "positions", "completion_start", "labels"} <= set(dataset.column_names):
        return Prepared(dataset, len(dataset))
    missing = [column for column in COLUMNS if column not in dataset.column_names]
    if missing:
        raise DataError(
            f"The {name} data has no column {' and no column '.join(missing)}; it has {', '.join(dataset.column_names)}. "
            "A row needs `prompt`, `completions` (a list of steps) and `labels` (one per step): `dsmath annotate` writes it."
        )
    from datasets import Features, Sequence, Value

    encoded = dataset.map(
        _encode_row,
        fn_kwargs={"encoder": encoder, "max_length": max_length, "last_step_only": last_step_only},
        remove_columns=dataset.column_names,
        # Named, or `map` would cast the labels back to the type of the input's column, truth values (trl#2127).
        features=Features(
            {
                "input_ids": Sequence(Value("int64")),
                "positions": Sequence(Value("int64")),
                "completion_start": Value("int64"),
                "labels": Sequence(Value("float32")),
                "problem": Value("string"),
                "cut": Value("bool"),
            }
        ),
        num_proc=num_proc,
        desc=f"Tokenizing the {name} data",
    )
    dropped: dict[str, list[int]] = {}
    for number, problem in enumerate(encoded["problem"]):
        if problem:
            dropped.setdefault(problem, []).append(number)
    if NOTHING_LABELLED in dropped:
        numbers = dropped[NOTHING_LABELLED]
        raise DataError(
            f"{len(numbers):,} rows of the {name} data have no label (row {first_few(numbers)}): nothing would be learned "
            "from them. Label at least one step of each or leave those rows out."
        )
    good = [number for number, problem in enumerate(encoded["problem"]) if not problem]
    if not good:
        reasons = "; ".join(f"{reason}: {len(numbers):,}" for reason, numbers in dropped.items())
        raise DataError(f"No row of the {name} data can be used ({reasons or 'it is empty'}).")
    cut = sum(encoded["cut"])
    kept = encoded.select(good) if len(good) < len(encoded) else encoded
    return Prepared(kept.remove_columns(["problem", "cut"]), len(encoded), dropped, cut)


def _encode_row(
    row: dict[str, Any], encoder: StepEncoder, max_length: int | None, last_step_only: bool
) -> dict[str, Any]:
    empty = {"input_ids": [], "positions": [], "completion_start": 0, "labels": [], "cut": False}
    labels = [_label(label) for label in row["labels"] or []]
    problem = _problem(row, labels)
    if problem:
        return {**empty, "problem": problem}
    if last_step_only:
        labels = [*[None] * (len(labels) - 1), *labels[-1:]]
    if all(label is None for label in labels):
        return {**empty, "problem": NOTHING_LABELLED}
    solution = encoder(row["prompt"], row["completions"]).truncate(max_length)
    kept = labels[: len(solution.positions)]
    if all(label is None for label in kept):
        return {**empty, "problem": TOO_LONG}
    return {
        "input_ids": solution.input_ids,
        "positions": solution.positions,
        "completion_start": solution.completion_start,
        "labels": kept,
        "problem": "",
        "cut": len(kept) < len(labels),
    }


def _label(label: Any) -> float | None:
    return None if label is None or math.isnan(float(label)) else float(label)


def _problem(row: dict[str, Any], labels: list[float | None]) -> str:
    if not row["prompt"]:
        return "no prompt"
    if not row["completions"] or any(step is None for step in row["completions"]):
        return "no steps, or a step that is null"
    if len(labels) != len(row["completions"]):
        return "as many labels as steps are needed"
    if any(label is not None and not 0.0 <= label <= 1.0 for label in labels):
        return "a label is not between 0 and 1"
    return ""

"""The columns of recorded completions, under the names that evaluation tools give them."""

import re
from collections.abc import Mapping
from typing import Any

from ..data.benchmarks import BENCHMARKS, Kind, Problem, canonical, split_options
from ..data.columns import (
    BENCHMARK_COLUMNS,
    COMPLETION_COLUMNS,
    GOLD_COLUMNS,
    LABEL_COLUMNS,
    NUMBER_COLUMNS,
    QUESTION_COLUMNS,
    columns_of,
    first_filled,
)
from ..errors import DataError
from ..text import read_choice

_WORDS_OF_LABELS = {"true": True, "correct": True, "right": True, "false": False, "incorrect": False, "wrong": False}


def texts_of(cell: Any) -> list[str] | None:
    """Completions as strings: of a string, a message, a list of messages, and lists of these."""
    if isinstance(cell, str):
        return [cell]
    if isinstance(cell, Mapping):
        found = next((cell[name] for name in ("content", "text", *COMPLETION_COLUMNS) if name in cell), None)
        return texts_of(found)
    if isinstance(cell, list) and cell:
        if all(isinstance(part, Mapping) and "role" in part for part in cell):
            spoken = [str(part.get("content") or "") for part in cell if part["role"] != "user"]
            return ["\n".join(spoken)] if spoken else None
        parts = [texts_of(part) if part != "" else [""] for part in cell]
        return None if any(part is None for part in parts) else [text for part in parts for text in part or []]
    return None


def labels_of(row: Mapping[str, Any], count: int) -> list[bool] | None:
    """Whether each completion was right by whoever recorded it; `None` when the row does not say."""
    for name in LABEL_COLUMNS:
        cell = row.get(name)
        cells = cell if isinstance(cell, list) else [cell]
        cells = [_WORDS_OF_LABELS.get(one.strip().lower()) if isinstance(one, str) else one for one in cells]
        # A mark of 5 points says nothing: the most that can be had is not known.
        if len(cells) == count and all(isinstance(one, bool | int | float) and 0 <= one <= 1 for one in cells):
            return [bool(one > 0.5) for one in cells if one is not None]
    return None


def own_problem(row: Mapping[str, Any], stem: str, where: str) -> Problem:
    """The problem of a row that brings its own gold."""
    gold, question = columns_of(row).gold_of(row), question_of(row)
    if not gold:
        raise DataError(
            f"{where}: no gold. Looked for {', '.join(GOLD_COLUMNS)}; or name the benchmark with benchmarks, and its golds are used."
        )
    if not question:
        raise DataError(
            f"{where}: no question and no number. Looked for {', '.join((*QUESTION_COLUMNS, *NUMBER_COLUMNS))}."
        )
    told = str(first_filled(row, BENCHMARK_COLUMNS) or "")
    benchmark = BENCHMARKS.get(canonical(told))
    kind = benchmark.kind if benchmark else kind_of(gold)
    options = split_options(first_filled(row, columns_of(row).options))
    gold = re.sub(r"[\s,]+", "", gold) if kind == "choice" else gold
    return Problem(canonical(told) if benchmark else told or stem, 0, question, options, gold, kind)


def question_of(row: Mapping[str, Any]) -> str:
    """The question of a row; its number where it has none; empty without either."""
    question, number = columns_of(row).question_of(row), first_filled(row, NUMBER_COLUMNS)
    return question or ("" if number is None else f"problem {number}")


def kind_of(gold: str) -> Kind:
    """What an answer is, by its gold: a letter, a number, or a formula."""
    if len(gold) <= 8 and gold == gold.upper() and read_choice(gold) == "".join(sorted(re.findall("[A-J]", gold))):
        return "choice"
    return "number" if re.fullmatch(r"[$\s]*-?\d[\d,]*(?:\.\d+)?[$\s]*", gold) else "formula"

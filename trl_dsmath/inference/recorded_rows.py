"""Rows of recorded completions, as evaluation tools write them: texts, labels, and the problem that a row belongs to."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..data.benchmarks import BENCHMARKS, Problem, canonical, split_options
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
from ..data.reading import kind_of
from ..errors import DataError

_WORDS = re.compile(r"\w+")
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
            spoken = [str(part.get("content") or "") for part in cell if part["role"] not in ("user", "system")]
            return ["\n".join(spoken)] if spoken else None
        parts = [texts_of(part) for part in cell]
        return None if any(part is None for part in parts) else [text for part in parts for text in part or []]
    return None


def labels_of(row: Mapping[str, Any], count: int) -> list[bool] | None:
    """Whether each completion was right by whoever recorded it; `None` when the row does not say."""
    for name in LABEL_COLUMNS:
        cell = row.get(name)
        cells = cell if isinstance(cell, list) else [cell]
        marks: list[Any] = [
            _WORDS_OF_LABELS.get(one.strip().lower()) if isinstance(one, str) else one for one in cells
        ]
        # A mark of 5 points says nothing: the most that can be had is not known.
        if len(marks) == count and all(isinstance(one, int | float) and 0 <= one <= 1 for one in marks):
            return [one > 0.5 for one in marks]
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


class Finder:
    """Finds the problem of a row of a benchmark: by its question, which may be inside a prompt, or by its number."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems = problems
        self._words = [" ".join(_WORDS.findall(problem.question.lower())) for problem in problems]
        self._by_words: dict[str, list[Problem]] = {}
        for problem, words in zip(problems, self._words, strict=True):
            self._by_words.setdefault(words, []).append(problem)
        self._by_number = {(problem.benchmark, problem.index): problem for problem in problems}
        self._turns: Counter[str] = Counter()
        self._names = list(dict.fromkeys(problem.benchmark for problem in problems))

    def find(self, row: Mapping[str, Any], where: str) -> Problem:
        named = canonical(str(first_filled(row, BENCHMARK_COLUMNS) or ""))
        names = [named] if named in self._names else self._names
        number = first_filled(row, NUMBER_COLUMNS)
        number = int(number) if isinstance(number, int) or (isinstance(number, str) and number.isdecimal()) else None
        question = columns_of(row).question_of(row)
        if question:
            return self._by_question(question, number, names, where)
        if number is not None and len(names) == 1 and (names[0], number) in self._by_number:
            return self._by_number[names[0], number]
        raise DataError(
            f"{where}: no question, and no number of a problem of {', '.join(names)} (looked for "
            f"{', '.join((*QUESTION_COLUMNS, *NUMBER_COLUMNS))})."
        )

    def _by_question(self, question: str, number: int | None, names: list[str], where: str) -> Problem:
        words = " ".join(_WORDS.findall(question.lower()))
        found = [problem for problem in self._by_words.get(words, []) if problem.benchmark in names]
        if not found:  # a question without its options, or else a prompt with an instruction or examples around it
            places = [
                (len(words), 0, -i)
                if own.startswith(words)
                else (words.rfind(own), len(own), -i)
                if own in words
                else None
                for i, own in enumerate(self._words)
            ]
            inside = [
                place
                for place, problem in zip(places, self._problems, strict=True)
                if place and problem.benchmark in names
            ]
            if inside:
                found = [self._problems[-max(inside)[2]]]
        if not found:
            raise DataError(f"{where}: its question is in none of {', '.join(names)}: {question[:80]!r}.")
        # Some sets hold a question twice: the number says which, or else the copies take turns.
        self._turns[found[0].question] += 1
        turn = (self._turns[found[0].question] - 1) % len(found)
        return next((problem for problem in found if problem.index == number), found[turn])

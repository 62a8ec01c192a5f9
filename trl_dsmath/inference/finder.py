"""Which problem of a benchmark a recorded completion belongs to."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..data.benchmarks import Problem, canonical
from ..data.columns import BENCHMARK_COLUMNS, NUMBER_COLUMNS, QUESTION_COLUMNS, columns_of, first_filled
from ..errors import DataError

_WORDS = re.compile(r"\w+")


class Finder:
    """Finds the problem of a row: by its question, which may stand within a prompt, or by its number."""

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
        if not found:  # a prompt with an instruction or examples around it, or a question without its options
            places = [
                (words.rfind(own), len(own), -i) if own in words else (0, 0, -i) if own.startswith(words) else None
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

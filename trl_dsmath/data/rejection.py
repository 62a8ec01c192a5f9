"""Which of a model's own solutions to train on: the right ones, each way of solving once (rejection sampling fine-tuning)."""

import ast
import contextlib
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from ..text.arithmetic import EXPRESSION, plain_arithmetic
from ..text.programs import programs

_EQUATION = re.compile(rf"{EXPRESSION}(?:={EXPRESSION})+")


class Candidate(NamedTuple):
    """A solution that a model drew."""

    problem: Hashable  # what names its problem
    text: str
    right: bool  # whether its answer is
    score: float | None = None  # of a process reward model; the best-scored are kept first where there is one


class PassRate(NamedTuple):
    """How many samples of a problem are right, of how many."""

    right: int
    drawn: int

    @property
    def share(self) -> float:
        return self.right / self.drawn


def equations(text: str) -> tuple[str, ...]:
    r"""
    The calculations that a solution writes down, in order: `"He has 3 \times 4 = 12 pens"` gives `("3*4=12",)`.

    A chain `a = b = c` is one. A bare assignment (`x = 5`) is none.
    """
    plain = plain_arithmetic(text).replace("%", "")
    found = (re.sub(r"\s+", "", match[0]).strip(".") for match in _EQUATION.finditer(plain))
    return tuple(one for one in found if re.search(r"[\d)][+*/-]", one))


def way(text: str) -> Hashable:
    """
    What two solutions share that solve a problem in the same way: the program (comments do not count), else
    the sequence of equations, else the words.

    Source: the equations are the rule of rejection sampling fine-tuning (Yuan et al. 2023, arXiv 2308.01825).
    """
    if program := "\n".join(programs(text)):
        with contextlib.suppress(SyntaxError, ValueError):
            return ast.dump(ast.parse(program))  # without comments and spaces
        return program
    return equations(text) or " ".join(text.lower().split())


def keep_ways(candidates: Sequence[Candidate], most: int | None = 4) -> list[int]:
    """
    The numbers of the solutions to train on: right, each way of solving a problem once, at most `most` of a problem.

    Easy problems would have the largest share without a limit. Of equal ways, and where there are too many, the best-scored
    stay, without scores the first.
    """
    best_first = sorted(range(len(candidates)), key=lambda i: -(candidates[i].score or 0.0))
    kept: dict[Hashable, dict[Hashable, int]] = {}
    for i in best_first:
        one = candidates[i]
        ways = kept.setdefault(one.problem, {})
        if one.right and (most is None or len(ways) < most):
            ways.setdefault(way(one.text), i)
    return sorted(i for ways in kept.values() for i in ways.values())


def pass_rates(candidates: Iterable[Candidate]) -> dict[Hashable, PassRate]:
    """How often each problem was solved, in the order of the problems."""
    found: dict[Hashable, PassRate] = {}
    for one in candidates:
        right, drawn = found.get(one.problem, (0, 0))
        found[one.problem] = PassRate(right + one.right, drawn + 1)
    return found

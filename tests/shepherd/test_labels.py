"""Labels worked by hand, as pure functions of what was drawn."""

import itertools
import math
from typing import Any

import pytest

from trl_dsmath.shepherd.rollouts import Tally, labels, wanted


def _tallies(*right_of_drawn: tuple[int, int]) -> list[Tally]:
    return [Tally(drawn, right) for right, drawn in right_of_drawn]


def test_hard_and_soft() -> None:
    tallies = _tallies((4, 4), (1, 4), (0, 4))
    assert labels("hard", tallies, False, 4) == [True, True, False, False]
    assert labels("soft", tallies, True, 4) == [1.0, 0.25, 0.0, 1.0]


def test_one_step_needs_no_rollout() -> None:
    for mode in ("hard", "soft", "first_error"):
        assert wanted(mode, [], True, 8) == []
        assert labels(mode, [], True, 8) == [True]
        assert labels(mode, [], False, 8) == [False]


def test_who_wants_more() -> None:
    tallies = _tallies((0, 0), (1, 2), (0, 6), (0, 8))
    assert wanted("hard", tallies, False, 8) == [0, 2]
    assert wanted("soft", tallies, True, 8) == [0, 1, 2]


def _bisect(reachable: tuple[bool, ...], num_rollouts: int = 8) -> tuple[list[bool] | list[float], int]:
    """Labels of a wrong solution, and how many prefixes were asked for, when `reachable` says which are good."""
    tallies = [Tally() for _ in reachable]
    asked = 0
    while open_prefixes := wanted("first_error", tallies, False, num_rollouts):
        (j,) = open_prefixes
        tallies[j].drawn = num_rollouts
        tallies[j].right = int(reachable[j])
        asked += 1
    return labels("first_error", tallies, False, num_rollouts), asked


@pytest.mark.parametrize("steps", range(1, 18))
def test_bisection_finds_the_first_error_of_monotone_outcomes(steps: int) -> None:
    """All places of the first error: the labels of exhaustive annotation, at O(log steps) prefixes."""
    for first_bad in range(steps):
        reachable = tuple(j < first_bad for j in range(steps - 1))
        found, asked = _bisect(reachable)
        assert found == [j < first_bad for j in range(steps)]
        assert asked <= math.ceil(math.log(steps) / math.log(4 / 3))


def test_bisection_on_outcomes_that_are_not_monotone() -> None:
    """A border from good to bad is found, not always the first one; labels stay monotone, exhaustive ones are not."""
    assert _bisect((True, False, True)) == ([True, False, False, False], 2)
    assert _bisect((False, True, False)) == ([False, False, False, False], 1)
    # Six steps, probes at the second, the third, the fourth: the bad first step is skipped.
    assert _bisect((False, True, True, False, True)) == ([True, True, True, False, False, False], 3)
    for reachable in itertools.product((True, False), repeat=5):
        found, _ = _bisect(reachable)
        border = found.index(False)
        assert found == [j < border for j in range(6)]
        assert border == 0 or reachable[border - 1]
        assert border == 5 or not reachable[border]


def test_a_right_solution_is_good_throughout_and_free() -> None:
    tallies = _tallies((0, 0), (0, 0))
    assert wanted("first_error", tallies, True, 8) == []
    assert labels("first_error", tallies, True, 8) == [True, True, True]


def test_bisection_uses_what_is_settled() -> None:
    """Four steps: the first prefix is known to be good, so the second is next; then nothing is left to ask."""
    tallies: list[Any] = _tallies((1, 2), (0, 0), (0, 0))
    assert wanted("first_error", tallies, False, 8) == [1]
    tallies[1] = Tally(drawn=8)
    assert wanted("first_error", tallies, False, 8) == []
    assert labels("first_error", tallies, False, 8) == [True, False, False, False]

"""Figures against values worked by hand."""

from itertools import combinations

import pytest

from trl_dsmath.grading.metrics import maj_at_k, majority, pass_at_k, wilson


def test_wilson_of_a_mean_and_of_nothing() -> None:
    low, high = wilson(2.5, 5)
    assert low == pytest.approx(1 - high)  # symmetric about one half
    assert (round(wilson(1, 4)[0], 3), round(wilson(1, 4)[1], 3)) == (0.046, 0.699)
    assert wilson(0, 0) == (0.0, 1.0)
    for total in range(1, 500):  # not beyond 0 and 1 by rounding
        assert 0.0 <= wilson(0, total)[0] < 1e-12 and 1 - 1e-12 < wilson(total, total)[1] <= 1.0


@pytest.mark.parametrize(("right", "total", "k"), [(2, 4, 2), (1, 5, 3), (0, 4, 4), (4, 4, 1), (3, 8, 8)])
def test_pass_at_k_counts_the_subsets_with_a_right_sample(right: int, total: int, k: int) -> None:
    samples = [True] * right + [False] * (total - right)
    subsets = list(combinations(samples, k))
    assert pass_at_k(right, total, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_majority_takes_the_first_of_equals_and_no_answer_does_not_vote() -> None:
    assert majority(["b", "a", "a", "b"]) == "b"
    assert majority([None, None, "a"]) == "a"
    assert majority([None]) is None and majority([]) is None


def test_maj_at_k_with_all_samples_is_the_vote() -> None:
    assert maj_at_k([1, 0, 0], [True, False, False], 3) == 0.0
    assert maj_at_k([1, 0, 1], [True, False, True], 3) == 1.0
    assert maj_at_k([None, None, 0], [False, False, True], 3) == 1.0
    assert maj_at_k([None, None], [False, False], 2) == 0.0


def test_maj_at_k_below_is_near_the_mean_over_subsets_and_always_the_same() -> None:
    votes, right = [0, 0, 0, 1, 1, 2], [True, True, True, False, False, False]
    subsets = [[votes[i] for i in chosen] for chosen in combinations(range(6), 3)]
    exact = 0.0
    for subset in subsets:  # in a random order the first of equals is any of them
        top = [vote for vote in set(subset) if subset.count(vote) == max(map(subset.count, subset))]
        exact += (0 in top) / len(top) / len(subsets)
    assert maj_at_k(votes, right, 3) == pytest.approx(exact, abs=0.12)
    assert maj_at_k(votes, right, 3) == maj_at_k(votes, right, 3)
    assert 100 * maj_at_k(votes, right, 3) == pytest.approx(round(100 * maj_at_k(votes, right, 3)))  # 100 subsets
    assert maj_at_k([0] * 6, [True] * 6, 2) == 1.0 and maj_at_k([0] * 6, [False] * 6, 2) == 0.0

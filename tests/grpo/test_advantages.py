"""Process advantages worked by hand, and a defined result for everything that can be missing."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trl_dsmath.grpo.advantages import (
    combine_advantages,
    combine_scores,
    has_no_spread,
    normalize_step_rewards,
    process_advantages,
)


def test_worked_by_hand() -> None:
    # One group of two. R = {1, 0, 0, 1, 1, 0}: mean 0.5, deviation sqrt(6 * 0.25 / 5) = 0.547723
    normalized = normalize_step_rewards([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]], num_generations=2)
    up = 0.5 / (math.sqrt(0.3) + 1e-4)
    assert normalized[0] == pytest.approx([up, -up, -up])
    assert normalized[1] == pytest.approx([up, up, -up])
    advantages = process_advantages(normalized, [[1, 2, 4], [0, 1, 2]], length=6)
    #                  step 1: up-up-up   step 2: -2up   step 3: -up, -up   behind
    assert advantages[0].tolist() == pytest.approx([-up, -up, -2 * up, -up, -up, 0.0])
    assert advantages[1].tolist() == pytest.approx([up, 0.0, -up, 0.0, 0.0, 0.0])
    assert advantages.dtype == torch.float32


def test_groups_are_normalized_apart() -> None:
    # Group 1: {0, 2}, mean 1, deviation sqrt(2); group 2: {10, 30}, mean 20, deviation sqrt(200)
    first, second, third, fourth = normalize_step_rewards([[0.0], [2.0], [10.0], [30.0]], num_generations=2)
    assert second == [-first[0]] == pytest.approx([1 / (math.sqrt(2) + 1e-4)])
    assert fourth == [-third[0]] == pytest.approx([10 / (math.sqrt(200) + 1e-4)])


def test_scales() -> None:
    rewards = [[0.0], [2.0], [10.0], [30.0]]
    assert normalize_step_rewards(rewards, 2, "none") == [[-1.0], [1.0], [-10.0], [10.0]]
    # of the batch: mean 10.5, squares 110.25 + 72.25 + 0.25 + 380.25 = 563, / 3
    deviation = math.sqrt(563 / 3) + 1e-4
    assert normalize_step_rewards(rewards, 2, "batch")[3] == pytest.approx([10 / deviation])


@pytest.mark.parametrize(
    ("rewards", "num_generations"),
    [
        ([[0.3, 0.3], [0.3]], 2),  # all equal
        ([[], []], 2),  # no step at all
        ([[0.7], []], 2),  # a single reward: no deviation
        ([[0.7]], 1),  # a group of one with one step
        ([[None, None], [None]], 2),  # the scorer could not read any
        ([[0.1 + 0.2], [0.3]], 2),  # equal but for rounding
    ],
)
@pytest.mark.parametrize("scale", ["group", "none"])
def test_nothing_to_tell_apart_is_zero(rewards: list, num_generations: int, scale: str) -> None:
    assert has_no_spread(rewards)
    assert normalize_step_rewards(rewards, num_generations, scale) == [[0.0] * len(row) for row in rewards]


def test_a_group_of_one_is_normalized_over_its_own_steps() -> None:
    up = 0.5 / (math.sqrt(0.5) + 1e-4)
    assert normalize_step_rewards([[1.0, 0.0]], num_generations=1) == [pytest.approx([up, -up])]


def test_no_step_and_none() -> None:
    normalized = normalize_step_rewards([[1.0, None, 0.0], []], num_generations=2)
    up = 0.5 / (math.sqrt(0.5) + 1e-4)
    assert normalized == [pytest.approx([up, 0.0, -up]), []]
    advantages = process_advantages(normalized, [[0, 1, 2], []], length=3)
    assert advantages.tolist() == [pytest.approx([0.0, -up, -up]), [0.0, 0.0, 0.0]]


def test_broken_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="3 completions are not a whole number of groups of 2"):
        normalize_step_rewards([[1.0]] * 3, num_generations=2)


def test_weights_of_functions() -> None:
    scores = [[[1.0, None, None], []], [[0.5, 0.25, None], []]]
    assert combine_scores(scores, [2.0, 4.0]) == [[4.0, 1.0, None], []]


def test_process_and_outcome() -> None:
    process_BT = torch.tensor([[1.0, -1.0], [0.0, 0.5]])
    outcome_B = torch.tensor([2.0, -4.0])
    used = combine_advantages(process_BT, outcome_B, process_weight=0.5, outcome_weight=0.25)
    assert used.tolist() == [[1.0, 0.0], [-1.0, -0.75]]
    assert combine_advantages(process_BT, outcome_B).tolist() == [[3.0, 1.0], [-4.0, -3.5]]


def test_empty_batch_of_tokens() -> None:
    assert process_advantages([[], []], [[], []], length=0).shape == (2, 0)


rows = st.lists(st.lists(st.floats(-100, 100), max_size=5), min_size=4, max_size=4)


@given(rewards=rows, shift=st.floats(-10, 10))
def test_a_constant_added_to_all_rewards_changes_nothing(rewards: list[list[float]], shift: float) -> None:
    pool = [r for row in rewards for r in row]
    if pool and max(pool) - min(pool) < 1e-3:
        return  # at that spread rounding shows
    moved = [[reward + shift for reward in row] for row in rewards]
    for a, b in zip(normalize_step_rewards(rewards, 4), normalize_step_rewards(moved, 4), strict=True):
        assert a == pytest.approx(b, abs=1e-6)


@given(rewards=rows)
def test_normalized_rewards_of_a_group_sum_to_zero(rewards: list[list[float]]) -> None:
    assert math.fsum(r for row in normalize_step_rewards(rewards, 4) for r in row) == pytest.approx(0.0, abs=1e-6)

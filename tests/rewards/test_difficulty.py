"""Accuracy by difficulty: which completion counts in which band, and that the column reaches the logs of a run."""

import pickle

import pytest

from trl_dsmath.errors import ConfigError
from trl_dsmath.rewards import boxed_accuracy_reward, get_reward_by_difficulty


def logged(rates: list[float | None], rewards: list[float | None], **options: object) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []

    def own(completions: list[str], **columns: object) -> list[float | None]:
        return rewards

    reward = get_reward_by_difficulty(own, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0], **options)
    assert (
        reward(completions=["x"] * len(rewards), pass_rate=rates, log_metric=lambda *one: found.append(one)) == rewards
    )
    return found


def test_thirds_of_the_problems() -> None:
    # Six problems: two are hard (up to 0.2), two medium (up to 0.6), two easy.
    assert logged([0.0, 0.2, 0.21, 0.6, 0.61, 1.0], [1.0, 0.0, 0.5, -1.0, 0.0, 1.0]) == [
        ("accuracy/hard", 1.0),
        ("accuracy/hard", 0.0),
        ("accuracy/medium", 1.0),
        ("accuracy/medium", 0.0),
        ("accuracy/easy", 0.0),
        ("accuracy/easy", 1.0),
    ]
    assert logged([0.5, 0.5], [1.0, 0.0], edges=(0.5, 0.9)) == [("accuracy/hard", 1.0), ("accuracy/hard", 0.0)]


def test_what_is_not_judged_or_has_no_rate_counts_in_none() -> None:
    assert logged([0.0, None, 1.0], [None, 1.0, 1.0]) == [("accuracy/easy", 1.0)]


def test_problems_of_one_rate_stay_together() -> None:
    assert get_reward_by_difficulty(boxed_accuracy_reward, range(1, 13)).edges == (4, 8)
    reward = get_reward_by_difficulty(boxed_accuracy_reward, [0.5, 0.5, 0.5, 0.9, None])
    assert (reward.edges, reward.__name__) == ((0.5, 0.5), "boxed_accuracy_reward")
    assert [reward.band(rate) for rate in (0.5, 0.9)] == ["hard", "easy"]
    assert pickle.loads(pickle.dumps(reward)).edges == (0.5, 0.5)


def test_refusals() -> None:
    async def late(completions: list[str], **columns: object) -> list[float]:
        return []

    with pytest.raises(ConfigError, match="dsmath pass-rate"):
        get_reward_by_difficulty(boxed_accuracy_reward, [None])
    with pytest.raises(ConfigError, match="asynchronous"):
        get_reward_by_difficulty(late, [0.5])

"""A learned reward that cannot outweigh the verifier."""

import math
from collections.abc import Callable, Sequence

from .accuracy import boxed_accuracy_reward

RewardFunction = Callable[..., Sequence[float | None]]


class _ShapedReward:
    """A class and not a closure, so that it can be pickled."""

    def __init__(self, reward_func: RewardFunction, alpha: float, accuracy: RewardFunction) -> None:
        self.reward_func, self.alpha, self.accuracy = reward_func, alpha, accuracy
        self.__name__ = "shaped_reward"

    def __call__(self, completions: Sequence, **columns: object) -> list[float | None]:
        verified = self.accuracy(completions=completions, **columns)
        scores = self.reward_func(completions=completions, **columns)
        return [
            None if right is None or score is None else _sigmoid(self.alpha * score) + (right - 1.0)
            for right, score in zip(verified, scores, strict=True)
        ]


def _sigmoid(x: float) -> float:
    return (1.0 + math.tanh(x / 2.0)) / 2.0  # which does not overflow


def get_shaped_reward(
    reward_func: RewardFunction, alpha: float = 0.5, accuracy_func: RewardFunction = boxed_accuracy_reward
) -> RewardFunction:
    r"""
    Combines a learned reward with the verifier: `sigmoid(alpha * r_m) + (r_v - 1)`.

    Every right answer scores above every wrong one, and the learned reward orders the answers within each kind.

    Args:
        reward_func (`callable`):
            A reward function in TRL's signature that returns an unbounded score, e.g. the logit of a reward model.
        alpha (`float`, *optional*, defaults to `0.5`):
            Scale of the learned score.
        accuracy_func (`callable`, *optional*, defaults to [`boxed_accuracy_reward`]):
            The verifier: 1.0, 0.0 or `None`.

    Returns:
        `callable`: a reward function in TRL's signature; `None` where either of the two gives `None`.

    Source: Qwen2.5-Math (arXiv 2409.12122), §3.2, with `alpha` = 0.5.
    """
    return _ShapedReward(reward_func, alpha, accuracy_func)

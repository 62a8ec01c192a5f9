"""Advantages of process supervision (§4.1.3): pure functions on step rewards, for this trainer and for others.

Shapes: N completions (of one process or of all), G of them in a group, K steps of a completion (it differs from one to the
next, so such values are lists), B completions of this process, T padded length of a completion.
"""

import math
from collections.abc import Sequence

import torch

StepRewards = Sequence[Sequence[float | None]]

_EPSILON = 1e-4  # TRL's, in the outcome advantage
_ZERO = 1e-8  # rewards this close are equal, as where TRL counts groups without spread


def combine_scores(scores: Sequence[StepRewards], weights: Sequence[float]) -> list[list[float | None]]:
    """
    Weighted sum of what several step reward functions gave, step by step.

    Args:
        scores (`list[list[list[float | None]]]`):
            For each function, for each completion, one score per step.
        weights (`list[float]`):
            one weight per function.

    Returns:
        `list[list[float | None]]`: one reward per step. A function that gave `None` for a step is left out of its sum;
        `None` where all did.

    Shapes:
        `scores`: functions x N x K; returned: N x K.
    """
    totals: list[list[float | None]] = []
    for rows in zip(*scores, strict=True):
        total: list[float | None] = []
        for step in zip(*rows, strict=True):
            given = [weight * score for weight, score in zip(weights, step, strict=True) if score is not None]
            total.append(sum(given) if given else None)
        totals.append(total)
    return totals


def normalize_step_rewards(step_rewards: StepRewards, num_generations: int, scale: str = "group") -> list[list[float]]:
    """
    Normalizes step rewards by all step rewards of their group: `(r - mean R) / (std R + 1e-4)`.

    The standard deviation has Bessel's correction, as TRL's. A step without a reward (`None`) stays out of mean and
    deviation and gets 0.0, as do all steps of a group whose rewards are equal or which has a single one.

    Args:
        step_rewards (`list[list[float | None]]`):
            One list per completion, one reward per step; the completions of a group are adjacent. An empty list is a
            completion without steps.
        num_generations (`int`):
            Size of a group.
        scale (`str`, *optional*, defaults to `"group"`):
            What the centred rewards are divided by, as `scale_rewards` in [`~trl.GRPOConfig`]: the deviation of the
            `"group"`, that of the whole `"batch"`, or `"none"`.

    Returns:
        `list[list[float]]`: the normalized rewards, in the same shape.

    Shapes:
        N x K.

    Raises:
        ValueError: the number of completions is not a multiple of `num_generations`.

    Source: §4.1.3. The paper does not say which deviation it means; see docs/background/differences.md.

    Example:
    ```python
    >>> normalize_step_rewards([[1.0, 0.0], [1.0]], num_generations=2)  # mean 2/3, deviation 0.5774
    [[0.5772502706..., -1.1545005412...], [0.5772502706...]]
    ```
    """
    if len(step_rewards) % num_generations:
        raise ValueError(f"{len(step_rewards)} completions are not a whole number of groups of {num_generations}")
    batch_deviation = _deviation(_pool(step_rewards))
    normalized: list[list[float]] = []
    for start in range(0, len(step_rewards), num_generations):
        group = step_rewards[start : start + num_generations]
        pool = _pool(group)
        if has_no_spread(group):
            normalized += [[0.0] * len(row) for row in group]
            continue
        mean = math.fsum(pool) / len(pool)
        divisor = 1.0
        if scale != "none":
            divisor = (_deviation(pool) if scale == "group" else batch_deviation) + _EPSILON
        normalized += [[0.0 if reward is None else (reward - mean) / divisor for reward in row] for row in group]
    return normalized


def process_advantages(
    normalized: Sequence[Sequence[float]], step_ends: Sequence[Sequence[int]], length: int
) -> torch.Tensor:
    """
    Advantage of each token: the sum of the normalized rewards of the steps that end at it or after it.

    Args:
        normalized (`list[list[float]]`):
            Normalized step rewards, see [`normalize_step_rewards`].
        step_ends (`list[list[int]]`):
            Index of the last token of each step.
        length (`int`):
            Padded length of the completions.

    Returns:
        `torch.Tensor`: float32; 0.0 behind the last step, and throughout for a completion without steps.

    Shapes:
        `normalized` and `step_ends`: B x K; returned: (B, T), with T = `length`.

    Source: §4.1.3.

    Example:
    ```python
    >>> process_advantages([[1.0, -0.5]], [[1, 3]], length=5)
    tensor([[ 0.5000,  0.5000, -0.5000, -0.5000,  0.0000]])
    ```
    """
    at_end_BT = torch.zeros(len(normalized), length, dtype=torch.float64)
    for row, (rewards, ends) in enumerate(zip(normalized, step_ends, strict=True)):
        if ends:
            at_end_BT[row, list(ends)] = torch.tensor(list(rewards), dtype=torch.float64)
    return at_end_BT.flip(1).cumsum(1).flip(1).float()


def combine_advantages(
    process_BT: torch.Tensor, outcome_B: torch.Tensor, process_weight: float = 1.0, outcome_weight: float = 1.0
) -> torch.Tensor:
    """
    `process_weight * process + outcome_weight * outcome`, each normalized by itself before.

    An outcome reward is a step reward at the last token, so this is §4.1.2 and §4.1.3 added. The two are not pooled in one
    mean and deviation: they have different scales and counts.

    Args:
        process_BT (`torch.Tensor`):
            Process advantages, see [`process_advantages`].
        outcome_B (`torch.Tensor`):
            Outcome advantages, as TRL computes them.
        process_weight (`float`, *optional*, defaults to `1.0`):
            Weight of the process part.
        outcome_weight (`float`, *optional*, defaults to `1.0`):
            Weight of the outcome part.

    Returns:
        `torch.Tensor`: on the device and with the type of `outcome_B`.

    Shapes:
        returned: (B, T).
    """
    return process_weight * process_BT.to(outcome_B) + outcome_weight * outcome_B.unsqueeze(1)


def has_no_spread(group: StepRewards) -> bool:
    """Whether the step rewards of a group are all equal, or it has none: there is nothing to tell its steps apart by."""
    pool = _pool(group)
    return not pool or max(pool) - min(pool) <= _ZERO


def _pool(group: StepRewards) -> list[float]:
    return [reward for row in group for reward in row if reward is not None]


def _deviation(pool: Sequence[float]) -> float:
    """Standard deviation with Bessel's correction; 0.0 for fewer than two values."""
    if len(pool) < 2:
        return 0.0
    mean = math.fsum(pool) / len(pool)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in pool) / (len(pool) - 1))

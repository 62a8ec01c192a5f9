"""What a run with step rewards logs: metrics of a generation batch, and a line a step for the completions table."""

import math
from collections.abc import Sequence

import torch

from .advantages import has_no_spread

Scores = Sequence[Sequence[float | None]]


def step_metrics(
    names: Sequence[str], scores: Sequence[Scores], totals: Scores, num_generations: int
) -> dict[str, float]:
    """
    Metrics of one generation batch, over the completions of all processes.

    Args:
        names (`list[str]`):
            Names of the step reward functions.
        scores (`list[list[list[float | None]]]`):
            What each of them gave.
        totals (`list[list[float | None]]`):
            Their weighted sum.
        num_generations (`int`):
            Size of a group.

    Returns:
        `dict[str, float]`: `step_reward` and `step_rewards/<name>/mean`, over all steps; `steps/mean_count`, steps of a
        completion; `steps/frac_no_step`, completions without any; `steps/frac_zero_std`, groups whose step rewards are
        all equal, and which therefore teach nothing. A mean over nothing is left out.

    Shapes:
        `scores`: functions x N x K; `totals`: N x K.
    """
    groups = [totals[start : start + num_generations] for start in range(0, len(totals), num_generations)]
    metrics = {
        "steps/mean_count": sum(len(row) for row in totals) / len(totals),
        "steps/frac_no_step": sum(not row for row in totals) / len(totals),
        "steps/frac_zero_std": sum(has_no_spread(group) for group in groups) / len(groups),
    }
    keys = ["step_reward", *(f"step_rewards/{name}/mean" for name in names)]
    for key, rows in zip(keys, [totals, *scores], strict=True):
        mean = mean_or_none([score for row in rows for score in row])
        if mean is not None:
            metrics[key] = mean
    return metrics


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Mean of what is given; `None` where nothing is."""
    given = [value for value in values if value is not None]
    return math.fsum(given) / len(given) if given else None


def weighted_rewards(rewards: torch.Tensor, weights: torch.Tensor) -> list[float | None]:
    """Outcome reward of each completion, as TRL sums it; `None` where no function gave one. Shapes: (N, functions), (functions,)."""
    sums = (rewards * weights.to(rewards.device)).nansum(dim=1).tolist()
    return [None if none else total for total, none in zip(sums, rewards.isnan().all(dim=1).tolist(), strict=True)]


def listing(scores: Sequence[float | None], steps: Sequence[str]) -> str:
    """One line a step: its reward and its text."""
    shown = ["none" if score is None else f"{score:.3f}" for score in scores]
    return "\n".join(f"{score} | {' '.join(step.split())}" for score, step in zip(shown, steps, strict=True))

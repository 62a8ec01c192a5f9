"""Calling step reward functions, checking what they return, and what a run with step rewards logs."""

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from .._upstream import EventLoop, get_callable_name, is_async_callable, profiling_context
from ..errors import ConfigError, DataError
from .advantages import StepRewards, has_no_spread

if TYPE_CHECKING:
    from trl import GRPOTrainer

StepRewardFunc = Callable[
    ..., Any
]  # TRL's signature plus `steps`; returns list[list[float | None]], or an awaitable of it


class StepRewardFunctions:
    """
    One or several step reward functions, with TRL's rules for reward functions.

    Args:
        functions (`Callable` or `list[Callable]`):
            TRL's signature plus `steps: list[list[str]]`; each returns one score per step, `list[list[float]]`. A score
            or a whole row may be `None`: no opinion. May be asynchronous; those run side by side.
        weights (`list[float]` or `None`):
            one weight per function; `None`: all 1.

    Raises:
        ConfigError: no function, something that cannot be called, or another number of weights.
    """

    def __init__(
        self, functions: StepRewardFunc | list[StepRewardFunc] | None, weights: list[float] | None = None
    ) -> None:
        self.functions: list[StepRewardFunc] = functions if isinstance(functions, list) else [functions]  # type: ignore[list-item]
        if functions is None or not self.functions:
            raise ConfigError(
                "StepGRPOTrainer needs step_reward_funcs: functions with TRL's signature plus `steps` that return one "
                "score a step, e.g. trl_dsmath.load_step_scorer(...). Without any use DeepSeekMathGRPOTrainer."
            )
        for function in self.functions:
            if not callable(function):
                raise ConfigError(
                    f"step_reward_funcs holds {function!r}, which cannot be called. A process reward model is loaded "
                    "with trl_dsmath.load_step_scorer(name_or_path)."
                )
        self._given_names = [get_callable_name(function) for function in self.functions]
        self.names = _distinct(self._given_names)
        self.weights = [1.0] * len(self.functions) if weights is None else list(weights)
        if len(self.weights) != len(self.functions):
            raise ConfigError(
                f"step_reward_weights has {len(self.weights)} weights for {len(self.functions)} step reward functions. "
                "Give one per function, or leave it out."
            )
        self._asynchronous = [is_async_callable(function) for function in self.functions]
        self._loop = EventLoop("StepGRPOTrainer-AsyncLoop") if any(self._asynchronous) else None

    def __call__(
        self,
        trainer: "GRPOTrainer",
        steps: list[list[str]],
        log_metric: Callable[[str, float], None],
        **columns: Any,
    ) -> list[list[list[float | None]]]:
        """Scores of each function for each completion and step. Shapes: functions x B x K."""
        scores: list[Any] = [None] * len(self.functions)
        calls = [
            partial(function, steps=steps, log_metric=_under_name(log_metric, given, name), **columns)
            for function, given, name in zip(self.functions, self._given_names, self.names, strict=True)
        ]
        for i, call in enumerate(calls):
            if not self._asynchronous[i]:
                with profiling_context(trainer, self.names[i]):
                    scores[i] = call()
        if self._loop is not None:
            waiting = [i for i, later in enumerate(self._asynchronous) if later]
            with profiling_context(trainer, "asynchronous step rewards"):
                for i, rows in zip(waiting, self._loop.run([calls[i] for i in waiting]), strict=True):
                    scores[i] = rows
        return [check_scores(name, rows, steps) for name, rows in zip(self.names, scores, strict=True)]


def _distinct(names: list[str]) -> list[str]:
    """Names for metrics: of two scorers whose folders have the same name, the second becomes `name_2`."""
    return [name if (n := names[:i].count(name)) == 0 else f"{name}_{n + 1}" for i, name in enumerate(names)]


def _under_name(log_metric: Callable[[str, float], None], given: str, name: str) -> Callable[[str, float], None]:
    """`log_metric` for a function that names its metrics after itself, though another function has the same name."""

    def log(metric: str, value: float) -> None:
        log_metric(name + metric.removeprefix(given) if metric.startswith(f"{given}/") else metric, value)

    return log_metric if given == name else log


def check_scores(name: str, rows: Any, steps: Sequence[Sequence[str]]) -> list[list[float | None]]:
    """
    What a step reward function returned, as lists of floats.

    Raises:
        DataError: rows, scores or numbers are not as many, or not of the kind, that was asked for; or a score is NaN or
            infinite.
    """
    try:
        rows = list(rows)
    except TypeError as error:
        raise DataError(f"The step reward function '{name}' returned {rows!r}: return a list[list[float]].") from error
    if len(rows) != len(steps):
        raise DataError(
            f"The step reward function '{name}' returned {len(rows)} rows, but {len(steps)} were expected (one per "
            "completion, also for a completion without steps: an empty list)."
        )
    checked: list[list[float | None]] = []
    for i, (row, texts) in enumerate(zip(rows, steps, strict=True)):
        if row is None:
            checked.append([None] * len(texts))
            continue
        try:
            scores = [None if score is None else float(score) for score in row]
        except (TypeError, ValueError) as error:
            raise DataError(
                f"The step reward function '{name}' returned {row!r} in row {i}: return one number per step, a list of "
                f"{len(texts)}."
            ) from error
        if len(scores) != len(texts):
            raise DataError(
                f"The step reward function '{name}' returned {len(scores)} scores in row {i}, but {len(texts)} were "
                "expected (one per step of `steps`)."
            )
        if any(score is not None and math.isinf(score) for score in scores):
            raise DataError(f"The step reward function '{name}' returned an infinite score in row {i}: {scores}.")
        if any(score is not None and math.isnan(score) for score in scores):
            raise DataError(
                f"The step reward function '{name}' returned NaN in row {i}: {scores}. Return None for a step without a "
                "score; a reward model that gives NaN was loaded or trained wrongly."
            )
        checked.append(scores)
    return checked


def step_metrics(
    names: Sequence[str], scores: Sequence[StepRewards], totals: StepRewards, num_generations: int
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
        `dict[str, float]`: `step_reward` and `step_rewards/<name>/mean`, over all steps, and
        `step_rewards/<name>/frac_missing`, the share of steps without a score; `steps/mean_count`, steps of a completion;
        `steps/frac_no_step`, completions without any; `steps/frac_zero_std`, groups whose step rewards are all equal, so
        that nothing is learned from them. A mean of no values is left out.

    Shapes:
        `scores`: functions x N x K; `totals`: N x K.
    """
    groups = [totals[start : start + num_generations] for start in range(0, len(totals), num_generations)]
    metrics = {
        "steps/mean_count": sum(len(row) for row in totals) / len(totals),
        "steps/frac_no_step": sum(not row for row in totals) / len(totals),
        "steps/frac_zero_std": sum(has_no_spread(group) for group in groups) / len(groups),
    }
    mean = mean_or_none([score for row in totals for score in row])
    if mean is not None:
        metrics["step_reward"] = mean
    for name, rows in zip(names, scores, strict=True):
        given = [score for row in rows for score in row]
        mean = mean_or_none(given)
        if mean is not None:
            metrics[f"step_rewards/{name}/mean"] = mean
        if given:
            metrics[f"step_rewards/{name}/frac_missing"] = given.count(None) / len(given)
    return metrics


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Mean of the values that are given; `None` without any."""
    given = [value for value in values if value is not None]
    return math.fsum(given) / len(given) if given else None


def weighted_rewards(rewards: torch.Tensor, weights: torch.Tensor) -> list[float | None]:
    """Outcome reward of each completion, as TRL sums it; `None` where no function gave one. Shapes: (N, functions), (functions,)."""
    sums = (rewards * weights.to(rewards.device)).nansum(dim=1).tolist()
    return [None if none else total for total, none in zip(sums, rewards.isnan().all(dim=1).tolist(), strict=True)]


def score_columns(
    names: Sequence[str], totals: StepRewards, scores: Sequence[StepRewards], for_wandb: bool
) -> dict[str, list]:
    """
    Columns of the completions table: the step rewards, and with several functions those of each.

    W&B refuses a table with a list in which a number is missing: for it, such a column is JSON text in all its rows.
    """
    own = {f"step_rewards/{name}": rows for name, rows in zip(names, scores, strict=True) if len(names) > 1}
    columns: dict[str, list] = {}
    for name, rows in {"step_rewards": totals, **own}.items():
        shown = [[None if score is None else round(score, 4) for score in row] for row in rows]
        gaps = for_wandb and any(None in row for row in rows)
        columns[name] = [json.dumps(row) for row in shown] if gaps else shown
    return columns


def listing(scores: Sequence[float | None], steps: Sequence[str]) -> str:
    """One line per step: its reward and its text."""
    shown = ["none" if score is None else f"{score:.3f}" for score in scores]
    return "\n".join(f"{score} | {' '.join(step.split())}" for score, step in zip(shown, steps, strict=True))

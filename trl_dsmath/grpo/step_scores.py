"""Calling step reward functions and checking what they return."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .._upstream import EventLoop, get_callable_name, is_async_callable, profiling_context
from ..errors import ConfigError, DataError


class StepRewardFunctions:
    """
    One or several step reward functions, with TRL's rules for reward functions.

    Args:
        functions (`Callable` or `list[Callable]`):
            TRL's signature plus `steps: list[list[str]]`; each returns one score a step, `list[list[float]]`. A score
            or a whole row may be `None`: no opinion. May be asynchronous; those run side by side.
        weights (`list[float]` or `None`):
            One weight a function; `None`: all 1.

    Raises:
        ConfigError: no function, something that cannot be called, or another number of weights.
    """

    def __init__(self, functions: Any, weights: list[float] | None) -> None:
        self.functions: list[Callable] = functions if isinstance(functions, list) else [functions]
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
        self.names = [get_callable_name(function) for function in self.functions]
        self.weights = [1.0] * len(self.functions) if weights is None else list(weights)
        if len(self.weights) != len(self.functions):
            raise ConfigError(
                f"step_reward_weights has {len(self.weights)} weights for {len(self.functions)} step reward functions. "
                "Give one a function, or leave it out."
            )
        self._asynchronous = [is_async_callable(function) for function in self.functions]
        self._loop = EventLoop("StepGRPOTrainer-AsyncLoop") if any(self._asynchronous) else None

    def __call__(self, trainer: Any, steps: list[list[str]], **kwargs: Any) -> list[list[list[float | None]]]:
        """Scores of each function for each completion and step. Shapes: functions x B x K."""
        scores: list[Any] = [None] * len(self.functions)
        waiting = []
        for i, function in enumerate(self.functions):
            if self._asynchronous[i]:
                waiting.append(i)
            else:
                with profiling_context(trainer, self.names[i]):
                    scores[i] = function(steps=steps, **kwargs)
        if self._loop is not None:
            with profiling_context(trainer, "asynchronous step rewards"):
                calls = [partial(self.functions[i], steps=steps, **kwargs) for i in waiting]
                for i, rows in zip(waiting, self._loop.run(calls), strict=True):
                    scores[i] = rows
        return [check_scores(name, rows, steps) for name, rows in zip(self.names, scores, strict=True)]


def check_scores(name: str, rows: Any, steps: Sequence[Sequence[str]]) -> list[list[float | None]]:
    """
    What a step reward function returned, as lists of floats; NaN becomes `None`.

    Raises:
        DataError: rows, scores or numbers are not as many, or not of the kind, that was asked for.
    """
    try:
        rows = list(rows)
    except TypeError as error:
        raise DataError(f"The step reward function '{name}' returned {rows!r}: return a list[list[float]].") from error
    if len(rows) != len(steps):
        raise DataError(
            f"The step reward function '{name}' returned {len(rows)} rows, but {len(steps)} were expected (one a "
            "completion, also for a completion without steps: an empty list)."
        )
    checked: list[list[float | None]] = []
    for i, (row, texts) in enumerate(zip(rows, steps, strict=True)):
        if row is None:
            checked.append([None] * len(texts))
            continue
        try:
            scores = [None if score is None or math.isnan(score) else float(score) for score in row]
        except (TypeError, ValueError) as error:
            raise DataError(
                f"The step reward function '{name}' returned {row!r} in row {i}: return one number a step, a list of "
                f"{len(texts)}."
            ) from error
        if len(scores) != len(texts):
            raise DataError(
                f"The step reward function '{name}' returned {len(scores)} scores in row {i}, but {len(texts)} were "
                "expected (one a step of `steps`)."
            )
        if any(score is not None and math.isinf(score) for score in scores):
            raise DataError(f"The step reward function '{name}' returned an infinite score in row {i}: {scores}.")
        checked.append(scores)
    return checked

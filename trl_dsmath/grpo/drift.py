"""Step reward against verified outcome: a policy that learns to please the scorer raises one and lowers the other."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

_ENOUGH = 16  # batches before anything is said
# Standard errors that a rise or a fall must exceed. Simulated with 64 completions a batch: the hacked run of
# tests/grpo/test_step_drift.py is reported in 30 of 30 seeds, 200 batches of rising step reward with a level outcome in 1 of
# 30 (at 3.0: 7 of 30), and never where both rise, both stay level, or the outcome falls alone.
_SURE = 3.5

ADVICE = (
    "The step reward rises while the outcome reward falls: {step_before:.3f} -> {step_after:.3f} against "
    "{outcome_before:.3f} -> {outcome_after:.3f} over {window} generation batches. The policy is probably learning what "
    "the step scorer mistakes for good steps. Stop and go back to an earlier checkpoint; then lower process_weight or "
    "raise outcome_weight, raise beta, or train the scorer further on completions of this policy. "
    "(Said once; steps/drift and steps/outcome_correlation go on.)"
)


class _Batch(NamedTuple):
    """A generation batch: number of completions, sums of step means and outcomes, of their squares and products."""

    completions: int
    step: float
    outcome: float
    step_step: float
    outcome_outcome: float
    step_outcome: float


class DriftMonitor(TrainerCallback, ExportableState):
    """
    Compares the step reward with the outcome reward over the last generation batches.

    It is a callback only to be saved with a checkpoint, so that a resumed run compares the same batches.

    Args:
        window (`int`):
            Number of generation batches that are kept.
    """

    def __init__(self, window: int) -> None:
        self._batches: deque[_Batch] = deque(maxlen=window)
        self._warned = False

    def update(
        self, step_means: Sequence[float | None], outcomes: Sequence[float | None]
    ) -> tuple[dict[str, float], str | None]:
        """
        Takes one generation batch.

        Args:
            step_means (`list[float | None]`):
                Mean step reward of each completion; `None` without one.
            outcomes (`list[float | None]`):
                Outcome reward of each completion; `None` without one.

        Returns:
            `tuple[dict[str, float], str | None]`: what to log, and a warning, at most once.

            - `steps/outcome_correlation`: Pearson correlation of mean step reward and outcome reward over the
              completions of the window. A scorer that is of use keeps it positive.
            - `steps/drift`: what the mean step reward gained from the first half of the window to the second, less what
              the mean outcome reward gained. Above 0 the step reward runs ahead. From 16 batches on.

            The warning comes when the step reward rose and the outcome reward fell between the halves, each by more than
            3.5 standard errors of the batch means.
        """
        pairs = [(s, o) for s, o in zip(step_means, outcomes, strict=True) if s is not None and o is not None]
        sums = [
            [s for s, _ in pairs],
            [o for _, o in pairs],
            [s * s for s, _ in pairs],
            [o * o for _, o in pairs],
            [s * o for s, o in pairs],
        ]
        self._batches.append(_Batch(len(pairs), *map(math.fsum, sums)))
        metrics = {}
        correlation = _correlation(self._batches)
        if correlation is not None:
            metrics["steps/outcome_correlation"] = correlation
        batches = [batch for batch in self._batches if batch.completions]
        if len(batches) < min(_ENOUGH, self._batches.maxlen or 0):
            return metrics, None
        half = len(batches) // 2
        (step_before, step_after), step_error = _means([batch.step / batch.completions for batch in batches], half)
        (outcome_before, outcome_after), outcome_error = _means([b.outcome / b.completions for b in batches], half)
        step_gain, outcome_gain = step_after - step_before, outcome_after - outcome_before
        metrics["steps/drift"] = step_gain - outcome_gain
        if self._warned or step_gain <= _SURE * step_error or outcome_gain >= -_SURE * outcome_error:
            return metrics, None
        self._warned = True
        return metrics, ADVICE.format(
            step_before=step_before,
            step_after=step_after,
            outcome_before=outcome_before,
            outcome_after=outcome_after,
            window=len(self._batches),
        )

    def state(self) -> dict[str, Any]:
        """What transformers writes into the checkpoint."""
        attributes = {"batches": [list(batch) for batch in self._batches], "warned": self._warned}
        return {"args": {"window": self._batches.maxlen}, "attributes": attributes}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Takes up the batches of a checkpoint."""
        kept: Any = state.stateful_callbacks  # transformers declares a list of callbacks and keeps a dict of states
        saved = (kept or {}).get(type(self).__name__)
        if state.global_step and isinstance(saved, dict):
            self._batches.extend(_Batch(*batch) for batch in saved["attributes"]["batches"])
            self._warned = saved["attributes"]["warned"]


def _means(values: list[float], half: int) -> tuple[tuple[float, float], float]:
    """Means before and after `half`, and the standard error of their difference."""
    means, variance = [], 0.0
    for part in (values[:half], values[half:]):
        mean = math.fsum(part) / len(part)
        means.append(mean)
        variance += math.fsum((value - mean) ** 2 for value in part) / (len(part) - 1) / len(part)
    return (means[0], means[1]), math.sqrt(variance)


def _correlation(batches: Sequence[_Batch]) -> float | None:
    """Pearson correlation over the completions of all batches; None where one side does not vary."""
    completions, *sums = (math.fsum(values) for values in zip(*batches, strict=True))
    total = _Batch(int(completions), *sums)
    if total.completions < 2:
        return None
    xx = total.step_step - total.step**2 / total.completions
    yy = total.outcome_outcome - total.outcome**2 / total.completions
    if min(xx, yy) <= 1e-12 * max(1.0, total.step_step, total.outcome_outcome):
        return None
    return (total.step_outcome - total.step * total.outcome / total.completions) / math.sqrt(xx * yy)

"""Step reward against verified outcome: a policy that learns to please the scorer raises one and lowers the other."""

import math
from collections import deque
from collections.abc import Sequence

_ENOUGH = 16  # batches before anything is said
# Standard errors that a rise or a fall must exceed. Simulated with 64 completions a batch: the hacked run of
# tests/grpo/test_step_drift.py is told in 30 of 30 seeds, 200 batches of rising step reward with a level outcome in 1 of
# 30 (at 3.0: 7 of 30), and never where both rise, both stay level, or the outcome falls alone.
_SURE = 3.5

ADVICE = (
    "The step reward rises while the outcome reward falls: {step_before:.3f} -> {step_after:.3f} against "
    "{outcome_before:.3f} -> {outcome_after:.3f} over {window} generation batches. The policy is probably learning what "
    "the step scorer mistakes for good steps. Stop and go back to an earlier checkpoint; then lower process_weight or "
    "raise outcome_weight, raise beta, or train the scorer further on completions of this policy. "
    "(Said once; steps/drift and steps/outcome_correlation go on.)"
)


class DriftMonitor:
    """
    Compares the step reward with the outcome reward over the last generation batches.

    Args:
        window (`int`):
            Number of generation batches that are kept.
    """

    def __init__(self, window: int) -> None:
        self._batches: deque[list[tuple[float, float]]] = deque(maxlen=window)
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
        self._batches.append(
            [(s, o) for s, o in zip(step_means, outcomes, strict=True) if s is not None and o is not None]
        )
        metrics = {}
        correlation = _correlation([pair for batch in self._batches for pair in batch])
        if correlation is not None:
            metrics["steps/outcome_correlation"] = correlation
        batches = [batch for batch in self._batches if batch]
        if len(batches) < min(_ENOUGH, self._batches.maxlen or 0):
            return metrics, None
        half = len(batches) // 2
        step, outcome = ([math.fsum(pair[i] for pair in batch) / len(batch) for batch in batches] for i in (0, 1))
        (step_before, step_after), step_error = _means(step, half)
        (outcome_before, outcome_after), outcome_error = _means(outcome, half)
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


def _means(values: list[float], half: int) -> tuple[tuple[float, float], float]:
    """Means before and after `half`, and the standard error of their difference."""
    means, variance = [], 0.0
    for part in (values[:half], values[half:]):
        mean = math.fsum(part) / len(part)
        means.append(mean)
        variance += math.fsum((value - mean) ** 2 for value in part) / (len(part) - 1) / len(part)
    return (means[0], means[1]), math.sqrt(variance)


def _correlation(pairs: list[tuple[float, float]]) -> float | None:
    """Pearson correlation; None where one side does not vary."""
    if len(pairs) < 2:
        return None
    mean_x, mean_y = (math.fsum(pair[i] for pair in pairs) / len(pairs) for i in (0, 1))
    xx = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    yy = math.fsum((y - mean_y) ** 2 for _, y in pairs)
    if min(xx, yy) <= 1e-12:
        return None
    return math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs) / math.sqrt(xx * yy)

"""Step scores of samples, and one number out of them."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from ..generation import Prompt
from ..text.steps import split_steps
from .result import SolvedSample
from .solve_settings import Aggregation

StepScores = Callable[..., Sequence[Sequence[float]]]  # scorer(prompts, steps=...), as `load_step_scorer` gives it

_AGGREGATE: dict[str, Callable[[Sequence[float]], float]] = {"min": min, "product": prod, "last": lambda row: row[-1]}


def score_samples(
    scorer: StepScores, prompts: Sequence[Prompt], samples: Sequence[SolvedSample], aggregation: Aggregation
) -> None:
    """Cuts samples into steps and fills in their scores. A sample without a step scores 0.

    Args:
        scorer (`Callable`):
            A step reward function.
        prompts (`Sequence`):
            The prompt of each sample.
        samples (`Sequence[SolvedSample]`):
            The samples; changed in place.
        aggregation (`str`):
            `"min"`, `"product"` or `"last"`.
    """
    for sample in samples:
        sample.steps = split_steps(sample.text)
    found: Any = scorer(list(prompts), [sample.text for sample in samples], steps=[sample.steps for sample in samples])
    for sample, row in zip(samples, found, strict=True):
        sample.step_scores = [float(score) for score in row]
        # A weight is what is added to a vote: between 0 and 1, also for a scorer of one's own that is not.
        score = _AGGREGATE[aggregation](sample.step_scores) if sample.step_scores else 0.0
        sample.score = min(1.0, max(0.0, score))

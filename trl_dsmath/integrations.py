"""The grader in other frameworks: verl's reward function, lighteval's metric. Neither package is imported before it is asked for."""

from typing import TYPE_CHECKING, Any

from .data.reading import AnswerFilter
from .errors import ConfigError, MissingDependencyError
from .rewards import boxed_accuracy_reward, flexible_accuracy_reward

if TYPE_CHECKING:
    from lighteval.metrics.utils.metric_utils import SampleLevelMetric

__all__ = ["compute_score", "lighteval_metric"]
_REWARDS = {"stated": boxed_accuracy_reward, "flexible": flexible_accuracy_reward}


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: object,
    extra_info: dict[str, Any] | None = None,
    answer_filter: AnswerFilter = "stated",
    **kwargs: Any,
) -> dict[str, float | bool | str]:
    r"""
    Reward function of [verl](https://github.com/volcengine/verl), for all its data sources with a mathematical answer.

    Args:
        data_source (`str`), extra_info (`dict`, *optional*), **kwargs:
            Given by verl; not used.
        solution_str (`str`):
            The completion.
        ground_truth (`object`):
            The gold answer, as the data set stores it.
        answer_filter (`str`, *optional*, defaults to `"stated"`):
            `"flexible"` also reads a last formula or number without a box (verl's `reward_kwargs`).

    Returns:
        `dict`: `score` and `acc`, with `pred` and `verdict` for verl's logs. A gold that cannot be read, or an answer that
        cannot be judged in time, scores 0.0, because verl cannot leave a completion out; `verdict` tells.

    Example:
    ```python
    >>> from trl_dsmath.integrations import compute_score

    >>> compute_score("openai/gsm8k", r"so \boxed{\frac{36}{2}}", "18")
    {'score': 1.0, 'acc': True, 'pred': '\\frac{36}{2}', 'verdict': 'correct'}
    ```
    """
    logged: dict[str, list] = {}
    (score,) = _reward(answer_filter)([solution_str], [ground_truth], log_extra=logged.__setitem__)
    (pred,), (verdict,) = logged["read_answer"], logged["verdict"]
    return {"score": score or 0.0, "acc": score == 1.0, "pred": pred, "verdict": verdict}


def lighteval_metric(answer_filter: AnswerFilter = "flexible", name: str = "dsmath_accuracy") -> "SampleLevelMetric":
    """
    A metric for the tasks of [lighteval](https://github.com/huggingface/lighteval): the share of a document's samples that
    equal one of its golds.

    Args:
        answer_filter (`str`, *optional*, defaults to `"flexible"`):
            `"stated"` reads an answer only where the completion names it.
        name (`str`, *optional*, defaults to `"dsmath_accuracy"`):
            Its name in lighteval's results.

    Raises:
        MissingDependencyError: lighteval is not installed.
    """
    try:
        from lighteval.metrics.metrics_sample import SampleLevelComputation
        from lighteval.metrics.utils.metric_utils import SampleLevelMetric
        from lighteval.tasks.requests import SamplingMethod
    except ImportError as error:
        raise MissingDependencyError(f"The metric needs lighteval: pip install lighteval ({error})") from error
    reward = _reward(answer_filter)

    def mean(values: list[float]) -> float:
        return sum(values) / len(values) if values else 0.0

    class Accuracy(SampleLevelComputation):
        def compute(self, doc: Any, model_response: Any, **kwargs: Any) -> float:
            golds = doc.get_golds()
            return mean([1.0 in reward([text] * len(golds), golds) for text in model_response.final_text])

    return SampleLevelMetric(
        metric_name=name,
        sample_level_fn=Accuracy(),
        corpus_level_fn=mean,
        category=SamplingMethod.GENERATIVE,
        higher_is_better=True,
    )


def _reward(answer_filter: AnswerFilter) -> Any:
    if answer_filter not in _REWARDS:
        raise ConfigError(f"answer_filter must be one of {', '.join(_REWARDS)}, not {answer_filter!r}.")
    return _REWARDS[answer_filter]

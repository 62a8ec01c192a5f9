"""The outcome reward of the paper: is the boxed answer right?"""

from collections import Counter
from collections.abc import Callable, Sequence

from ..data.columns import columns_of, read_gold
from ..data.reading import AnswerFilter, final_answer, kind_of
from ..errors import DataError
from ..grading import Verdict, judge
from .completions import Completion, completion_text

# What TRL passes besides the columns of the data set.
_TRLS = {"prompts", "completion_ids", "prompt_ids"}


def boxed_accuracy_reward(
    completions: Sequence[Completion],
    solution: Sequence[object] | None = None,
    log_extra: Callable[[str, list], None] | None = None,
    log_metric: Callable[[str, float], None] | None = None,
    **columns: object,
) -> list[float | None]:
    r"""
    Reward function that gives 1.0 for a right final answer and 0.0 for a wrong one or none.

    The answer is the last `\boxed{}` of the completion (or `#### 18`, "the answer is ..."), outside thinking, code and
    the output of tools. It is compared with the gold exactly, never by a prefix of it, in bounded time, from any thread.

    Args:
        completions (`list[str]` or `list[list[dict]]`):
            Completions as strings or as messages (several after tool use).
        solution (`list`, *optional*):
            Gold answers as the data set stores them. Where the data set calls the column otherwise, it is found by the rule
            of [`~trl_dsmath.data.columns.Columns.gold_cell`].
        log_extra (`callable`, *optional*):
            Given by the trainer; adds the answer that was read and its verdict to the completions table.
        log_metric (`callable`, *optional*):
            Given by the trainer; logs the share of each verdict as `verdict/<name>`.
        **columns:
            The other columns of the data set.

    Returns:
        `list[float | None]`: 1.0, 0.0, or `None` where the gold cannot be read or the answer could not be judged in time: TRL
            leaves those out of this reward.

    Raises:
        DataError: no column holds the gold.

    Source: §4.2 of the paper trains with a reward model; the rule-based reward is that of DeepSeek-R1 (arXiv
    2501.12948, §2.2.2).

    Example:
    ```python
    >>> from trl_dsmath.rewards import boxed_accuracy_reward

    >>> boxed_accuracy_reward([r"So it is \boxed{\frac{2}{4}}.", r"\boxed{2}"], solution=[r"\frac12", r"2\sqrt{3}"])
    [1.0, 0.0]
    ```
    """
    return _accuracy("stated", completions, solution, log_extra, log_metric, columns)


def flexible_accuracy_reward(
    completions: Sequence[Completion],
    solution: Sequence[object] | None = None,
    log_extra: Callable[[str, list], None] | None = None,
    log_metric: Callable[[str, float], None] | None = None,
    **columns: object,
) -> list[float | None]:
    r"""
    [`boxed_accuracy_reward`] for models that do not write a box: without one the last formula, number or letter counts, as in
    the flexible metric of an evaluation. A policy is not taught the box by it, and a number that stands last by chance counts.

    Args:
        completions, solution, log_extra, log_metric, **columns:
            As in [`boxed_accuracy_reward`].

    Returns:
        `list[float | None]`: as [`boxed_accuracy_reward`].

    Raises:
        DataError: no column holds the gold.

    Example:
    ```python
    >>> from trl_dsmath.rewards import boxed_accuracy_reward, flexible_accuracy_reward

    >>> boxed_accuracy_reward(["17 + 5 = 22"], solution=["22"]), flexible_accuracy_reward(["17 + 5 = 22"], solution=["22"])
    ([0.0], [1.0])
    ```
    """
    return _accuracy("flexible", completions, solution, log_extra, log_metric, columns)


def _accuracy(
    answer_filter: AnswerFilter,
    completions: Sequence[Completion],
    solution: Sequence[object] | None,
    log_extra: Callable[[str, list], None] | None,
    log_metric: Callable[[str, float], None] | None,
    columns: dict,
) -> list[float | None]:
    golds = solution if solution is not None else golds_of(columns)
    if len(golds) != len(completions):
        raise DataError(f"{len(completions)} completions but {len(golds)} golds: give one gold per completion")
    texts = map(completion_text, completions)
    if answer_filter == "flexible":
        kinds = (kind_of(read_gold(gold)) for gold in golds)
        answers = [final_answer(text, "flexible", kind=kind) for text, kind in zip(texts, kinds, strict=True)]
    else:
        answers = [final_answer(text) for text in texts]
    verdicts = judge(answers, golds)
    if log_extra is not None:
        log_extra("gold", [str(gold) for gold in golds])
        log_extra("read_answer", [answer if answer is not None else "" for answer in answers])
        log_extra("verdict", [str(verdict) for verdict in verdicts])
    if log_metric is not None and verdicts:
        counts = Counter(verdicts)
        for verdict in Verdict:
            log_metric(f"verdict/{verdict}", counts[verdict] / len(verdicts))
    return [verdict.reward for verdict in verdicts]


def golds_of(columns: dict) -> list[object]:
    """The gold of each row out of the columns of the data set, by the rule of [`~trl_dsmath.data.columns`].

    Raises:
        DataError: no column holds the gold.
    """
    own = {name: cells for name, cells in columns.items() if isinstance(cells, list | tuple) and name not in _TRLS}
    table = columns_of(own)
    if not table.gold:
        raise DataError(
            f"No column holds the gold answers: the data set has {', '.join(sorted(own)) or 'no columns'}. Call it `solution` "
            "(`dataset.rename_column(..., 'solution')`)."
        )
    names = (*table.gold, *table.options)
    rows = zip(*(own[name] for name in names), strict=False)
    return [table.gold_of(dict(zip(names, cells, strict=True))) for cells in rows]

"""Accuracy by difficulty while a GRPO run goes on: which problems does it learn?"""

from collections.abc import Callable, Iterable, Sequence
from inspect import iscoroutinefunction

from ..errors import ConfigError
from .shaped import RewardFunction

BANDS = ("hard", "medium", "easy")


class RewardByDifficulty:
    """See [`get_reward_by_difficulty`]. A class and not a closure, so that it can be pickled."""

    def __init__(self, reward_func: RewardFunction, edges: tuple[float, float], column: str) -> None:
        self.reward_func, self.edges, self.column = reward_func, edges, column
        self.__name__ = getattr(reward_func, "__name__", type(reward_func).__name__)

    def __call__(
        self, completions: Sequence, log_metric: Callable[[str, float], None] | None = None, **columns: object
    ) -> Sequence[float | None]:
        rewards = self.reward_func(completions=completions, log_metric=log_metric, **columns)
        rates = columns.get(self.column)
        if log_metric is not None and isinstance(rates, list):
            for reward, rate in zip(rewards, rates, strict=True):
                if reward is not None and rate is not None:  # TRL takes the mean of what is logged under one name
                    log_metric(f"accuracy/{self.band(rate)}", float(reward > 0))
        return rewards

    def band(self, rate: float) -> str:
        """The band of a problem: the first up to whose edge its pass rate goes."""
        return BANDS[sum(rate > edge for edge in self.edges)]


def get_reward_by_difficulty(
    reward_func: RewardFunction,
    rates: Iterable[float | None],
    edges: tuple[float, float] | None = None,
    column: str = "pass_rate",
) -> RewardByDifficulty:
    """
    A reward function that gives what another one gives, and logs by the difficulty of the problem how often that is above 0:
    `accuracy/hard`, `accuracy/medium`, `accuracy/easy`.

    It is a reward function and no callback, because callbacks see neither completions nor columns. Works with any trainer of TRL
    that hands `log_metric` to reward functions.

    Args:
        reward_func (`callable`):
            A reward function in TRL's signature, above 0 for a right completion.
        rates (`Iterable[float]`):
            The pass rates of all problems of the data set, `dataset["pass_rate"]`.
        edges (`tuple[float, float]`, *optional*):
            The highest pass rates that are hard and medium. If `None`, those that part the problems into thirds; problems with the
            same rate stay together.
        column (`str`, *optional*, defaults to `"pass_rate"`):
            The column of the pass rate, which `dsmath pass-rate` writes.

    Returns:
        `callable`: a reward function of the same name. Its `edges` are those that are used.

    Raises:
        ConfigError: no problem has a pass rate, or the reward function is asynchronous.

    Example:
    ```python
    >>> from trl_dsmath.rewards import boxed_accuracy_reward, get_reward_by_difficulty

    >>> reward = get_reward_by_difficulty(boxed_accuracy_reward, [0.1, 0.5, 0.9])
    >>> reward([r"\\boxed{2}"], solution=["2"], pass_rate=[0.1], log_metric=lambda *metric: print(*metric))
    accuracy/hard 1.0
    [1.0]
    ```
    """
    known = sorted(rate for rate in rates if rate is not None)
    if not known:
        raise ConfigError(f"No problem has a {column}: run `dsmath pass-rate`, or leave difficulty out.")
    if iscoroutinefunction(reward_func):
        raise ConfigError("Accuracy by difficulty needs a reward function that is not asynchronous.")
    if edges is None:
        edges = (known[-(-len(known) // 3) - 1], known[-(-2 * len(known) // 3) - 1])
    return RewardByDifficulty(reward_func, edges, column)

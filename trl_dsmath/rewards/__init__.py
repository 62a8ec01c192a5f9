"""Reward functions in TRL's signature. Importing them loads neither torch nor trl; all of them can be pickled.

TRL's own `think_format_reward`, `get_soft_overlong_punishment` and `get_repetition_penalty_reward` go well beside them
and are not repeated here.
"""

from .accuracy import boxed_accuracy_reward, flexible_accuracy_reward
from .arithmetic import step_arithmetic_reward
from .difficulty import get_reward_by_difficulty
from .execution import code_execution_reward
from .language import language_consistency_reward
from .shaped import get_shaped_reward
from .structure import boxed_format_reward

__all__ = [
    "boxed_accuracy_reward",
    "boxed_format_reward",
    "code_execution_reward",
    "flexible_accuracy_reward",
    "get_reward_by_difficulty",
    "get_shaped_reward",
    "language_consistency_reward",
    "step_arithmetic_reward",
]

"""A GRPO run judged again: its logged completions with two independent graders, what that changes, and signs of hacking."""

from .logged import Golds, Logged, read_run
from .regrade import Case, Judged, regrade
from .report import write

__all__ = ["Case", "Golds", "Judged", "Logged", "read_run", "regrade", "write"]

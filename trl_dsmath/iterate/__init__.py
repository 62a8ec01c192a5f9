"""Iterative GRPO (Algorithm 1, §4.1.4): policy and reward model trained in turns, with the state on disk.

What is covered: the outer loop of the algorithm over the stages as the commands run them, replay, and going on after a
kill in any phase. What is not: continuing a reward model that is an adapter; annotating on several GPUs at once.
"""

from .config import IterateConfig
from .loop import State, iterate

__all__ = ["IterateConfig", "State", "iterate"]

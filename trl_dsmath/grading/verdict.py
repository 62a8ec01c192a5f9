"""What grading one answer can end in."""

from enum import StrEnum


class Verdict(StrEnum):
    """The outcome of one (answer, gold) pair.

    Only `CORRECT` is worth a reward; `BAD_GOLD` says nothing about the answer, so a reward function returns `None` for
    it and TRL leaves the completion out of that reward.
    """

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    BAD_GOLD = "bad_gold"
    TIMEOUT = "timeout"

    @property
    def reward(self) -> float | None:
        """1.0 for a right answer, `None` for an unreadable gold, else 0.0."""
        return 1.0 if self is Verdict.CORRECT else None if self is Verdict.BAD_GOLD else 0.0

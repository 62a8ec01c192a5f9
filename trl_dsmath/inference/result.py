"""What solving a problem gives."""

from dataclasses import asdict, dataclass, field
from typing import Any

from ..grading.votes import Vote


@dataclass
class SolvedSample:
    """One sample and what was read out of it.

    Attributes:
        text (`str`):
            The solution.
        answer (`str`, *optional*):
            Its final answer, or `None`.
        finished (`bool`):
            Whether it came to an end before `max_new_tokens`.
        tokens (`int`):
            Its length.
        steps (`list[str]`):
            Its steps; empty where no step scorer is at work.
        step_scores (`list[float]`):
            The scorer's probability that each step is right.
        score (`float`, *optional*):
            The step scores as one number.
        output (`str`, *optional*):
            What its program printed, or why it failed (mode `"pot"`).
    """

    text: str
    answer: str | None
    finished: bool
    tokens: int
    steps: list[str] = field(default_factory=list)
    step_scores: list[float] = field(default_factory=list)
    score: float | None = None
    output: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The sample as a row of JSON."""
        return asdict(self)


@dataclass
class Solution:
    """The answer to one question and how it came about.

    Attributes:
        question (`str`):
            The question.
        answer (`str`, *optional*):
            The answer that was chosen; `None` when no sample gave one.
        chosen (`int`, *optional*):
            Number of the sample that stands for it: the best-scored one with that answer, else the first.
        vote ([`~trl_dsmath.grading.votes.Vote`]):
            All candidates with their weight.
        samples (`list[SolvedSample]`):
            The samples, in order.
        n (`int`):
            How many samples were allowed.
    """

    question: str
    answer: str | None
    chosen: int | None
    vote: Vote
    samples: list[SolvedSample]
    n: int

    @property
    def text(self) -> str:
        """The solution that stands for the answer; of the first sample when none gave an answer."""
        return self.samples[self.chosen or 0].text

    @property
    def stopped_early(self) -> bool:
        """Whether fewer samples than allowed were needed."""
        return len(self.samples) < self.n

    @property
    def tokens(self) -> int:
        """Tokens of all samples together."""
        return sum(sample.tokens for sample in self.samples)

    def to_dict(self) -> dict[str, Any]:
        """One row of JSON, without the samples."""
        return {
            "question": self.question,
            "answer": self.answer,
            "solution": self.text,
            "share": round(self.vote.share, 4),
            "votes": [
                {"answer": group.answer, "weight": round(group.weight, 6), "samples": len(group.members)}
                for group in self.vote.classes
            ],
            "samples": len(self.samples),
            "n": self.n,
            "unreadable": self.vote.unreadable,
            "timeouts": self.vote.timeouts,
            "tokens": self.tokens,
        }

"""What a [`Solver`] returns: the answer, how it came about, and how it is shown."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

from ..data.prompts import Form
from ..data.reading import why_unread
from ..generation import Prompt
from ..grading.votes import AnswerClass, Vote
from ..text.steps import split_steps
from .config import Aggregation

StepScores = Callable[..., Sequence[Sequence[float]]]  # scorer(prompts, steps=...), as `load_step_scorer` gives it

_AGGREGATE: dict[str, Callable[[Sequence[float]], float]] = {"min": min, "product": prod, "last": lambda row: row[-1]}


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
        """The sample for a JSON line."""
        return asdict(self)


@dataclass
class Solution:
    """The answer to one question, and how it was found.

    Attributes:
        question (`str`):
            The question.
        answer (`str`, *optional*):
            The answer that was chosen; `None` when no sample gave one.
        chosen (`int`, *optional*):
            Number of the sample that is shown for it: the best-scored one with that answer, else the first.
        vote ([`~trl_dsmath.grading.votes.Vote`]):
            All candidates with their weight.
        samples (`list[SolvedSample]`):
            The samples, in order.
        n (`int`):
            How many samples were allowed.
        form (`str`):
            Where the prompt asked for the answer: `"box"`, `"sentence"` or `"program"`.
    """

    question: str
    answer: str | None
    chosen: int | None
    vote: Vote
    samples: list[SolvedSample]
    n: int
    form: Form = "box"

    @property
    def text(self) -> str:
        """The text of the chosen sample; of the first one when none gave an answer."""
        return self.samples[self.chosen or 0].text

    @property
    def stopped_early(self) -> bool:
        """Whether fewer samples than allowed were needed."""
        return len(self.samples) < self.n

    @property
    def tokens(self) -> int:
        """Tokens of all samples together."""
        return sum(sample.tokens for sample in self.samples)

    def why_unread(self) -> str:
        """Why samples have no answer: `"5 cut off, 1 without a box"`; empty when all have one."""
        return why_unread(self._unread(finished=False), self._unread(finished=True), self.form)

    def _unread(self, finished: bool) -> int:
        return sum(sample.answer is None and sample.finished is finished for sample in self.samples)

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
            "cut_off": self._unread(finished=False),  # and without an answer
            "without_answer": self._unread(finished=True),
            "unreadable": self.vote.unreadable,
            "timeouts": self.vote.timeouts,
            "tokens": self.tokens,
        }

    def report(self, show_steps: bool = False, color: bool | None = None) -> str:
        """
        The solution, the answer and the votes as text for a terminal.

        Args:
            show_steps (`bool`, *optional*, defaults to `False`):
                Whether to write each step of the chosen sample behind its score.
            color (`bool`, *optional*):
                Whether steps are green from 0.8, yellow from 0.5, red below. If `None`, on a terminal, unless `NO_COLOR` is
                set.
        """
        if color is None:
            color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        number = self.chosen or 0
        chosen = self.samples[number]
        if show_steps:
            score = "" if chosen.score is None else f", score {chosen.score:.2f}"
            lines = [f"steps       of sample {number + 1} of {len(self.samples)}{score}"]
            for step, value in zip(chosen.steps, chosen.step_scores, strict=True):
                line = (f"[{value:.2f}]", step.rstrip())
                lines.append(" ".join(_colored(part, value) if color else part for part in line))
        else:
            lines = [chosen.text.strip()]
        none = f"(none could be read: {self.why_unread()})"
        lines.append(f"answer      {self.answer if self.answer is not None else none}")
        if self.n > 1:
            counted = sum(len(group.members) for group in self.vote.classes)
            early = f", {self.n} allowed" if self.stopped_early else ""
            votes = ", ".join(map(_vote_of, self.vote.classes[:5])) or "none"
            more = ", ..." if len(self.vote.classes) > 5 else ""
            reasons = f"; {why}" if (why := self.why_unread()) else ""
            lines.append(
                f"votes       {votes}{more} ({counted} of {len(self.samples)} samples give an answer{reasons}{early})"
            )
        return "\n".join(lines)


def _vote_of(group: AnswerClass) -> str:
    """`5 x3`, and with weights that are not counts `5 x3 (weight 1.42)`."""
    weight = "" if group.weight == len(group.members) else f" (weight {group.weight:.2f})"
    return f"{group.answer} x{len(group.members)}{weight}"


def _colored(text: str, score: float) -> str:
    color = 32 if score >= 0.8 else 33 if score >= 0.5 else 31
    return f"\x1b[{color}m{text}\x1b[0m"


def score_steps(
    scorer: StepScores,
    prompts: Sequence[Prompt],
    samples: Sequence[SolvedSample],
    separator: str = "\n",
    aggregation: Aggregation = "min",
) -> None:
    """Cuts samples into steps and fills in their scores, in place. A sample without a step scores 0."""
    for sample in samples:
        sample.steps = split_steps(sample.text, separator)
    found: Any = scorer(list(prompts), [sample.text for sample in samples], steps=[sample.steps for sample in samples])
    for sample, row in zip(samples, found, strict=True):
        sample.step_scores = [float(score) for score in row]
        # A weight is what is added to a vote: between 0 and 1, also for a scorer whose scores are not.
        score = _AGGREGATE[aggregation](sample.step_scores) if sample.step_scores else 0.0
        sample.score = min(1.0, max(0.0, score))

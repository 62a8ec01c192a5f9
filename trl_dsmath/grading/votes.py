"""Votes over answers: `1/2`, `0.5` and `\\frac12` are one candidate, not three."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .batch import TIME_LIMIT, Verdict, judge
from .gold import parse_gold


@dataclass(frozen=True)
class AnswerClass:
    """Answers that the grader takes for one.

    Attributes:
        answer (`str`):
            The first of them, as it was written; it represents the class.
        members (`tuple[int, ...]`):
            Numbers of the answers, from 0.
        weight (`float`):
            Sum of their weights; how many there are where no weights were given.
    """

    answer: str
    members: tuple[int, ...]
    weight: float


@dataclass(frozen=True)
class Vote:
    """The outcome of a vote.

    Attributes:
        answer (`str`, *optional*):
            The winner; `None` when no answer could be read.
        classes (`tuple[AnswerClass, ...]`):
            All candidates, the winner first.
        unreadable (`int`):
            Answers that were not counted: missing, or not an answer.
        timeouts (`int`):
            Comparisons that could not be decided; their two answers count as different.
    """

    answer: str | None
    classes: tuple[AnswerClass, ...]
    unreadable: int
    timeouts: int = 0

    @property
    def share(self) -> float:
        """The winner's share of all weight that was counted; 0.0 without a winner."""
        total = sum(group.weight for group in self.classes)
        return self.classes[0].weight / total if total else 0.0


@dataclass
class AnswerClasses:
    """
    Classes that grow as answers come in: what came later never moves what came before.

    An answer joins the first class whose representative it equals: the same string, or the same by [`grade`] with the
    representative as gold. Each pair of texts is compared once.

    Args:
        time_limit (`float`, *optional*, defaults to `5.0`):
            Seconds of CPU time for a comparison that needs computer algebra. One that takes longer counts as "different".
    """

    time_limit: float = TIME_LIMIT
    members: list[list[int]] = field(default_factory=list)
    representatives: list[str] = field(default_factory=list)
    count: int = 0
    unreadable: int = 0
    timeouts: int = 0
    _class_of: dict[str, int | None] = field(default_factory=dict)

    def add(self, answers: Sequence[str | None]) -> None:
        """Sorts answers in; `None` and what cannot be read as an answer is counted and stays out."""
        new = [text for text in dict.fromkeys(answers) if text is not None and text not in self._class_of]
        self._sort_in(new)
        for answer in answers:
            number = None if answer is None else self._class_of[answer]
            if number is None:
                self.unreadable += 1
            else:
                self.members[number].append(self.count)
            self.count += 1

    def _sort_in(self, texts: list[str]) -> None:
        """Finds the class of texts that were not seen before, with one batch of comparisons."""
        readable = [text for text in texts if text.strip() and parse_gold(text) is not None]
        self._class_of.update(dict.fromkeys(texts))
        # With the classes that are there, and with each new text before it, which may become one.
        rivals = [*self.representatives, *readable]
        known = len(self.representatives)
        pairs = [(i, j) for i in range(len(readable)) for j in range(known + i)]
        verdicts = judge([readable[i] for i, _ in pairs], [rivals[j] for _, j in pairs], self.time_limit)
        equal = {pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is Verdict.CORRECT}
        self.timeouts += sum(verdict is Verdict.TIMEOUT for verdict in verdicts)
        founders = list(range(known))  # place of each class's representative among the rivals
        for i, text in enumerate(readable):
            number = next((number for number, j in enumerate(founders) if (i, j) in equal), None)
            if number is None:
                number = len(founders)
                founders.append(known + i)
                self.representatives.append(text)
                self.members.append([])
            self._class_of[text] = number

    def vote(self, weights: Sequence[float] | None = None) -> Vote:
        """Counts; see [`vote`]."""
        groups = [
            AnswerClass(
                text, tuple(members), float(len(members) if weights is None else sum(weights[i] for i in members))
            )
            for text, members in zip(self.representatives, self.members, strict=True)
        ]
        groups.sort(key=lambda group: (-group.weight, group.members[0]))
        return Vote(groups[0].answer if groups else None, tuple(groups), self.unreadable, self.timeouts)


def equivalence_classes(answers: Sequence[str | None], time_limit: float = TIME_LIMIT) -> list[list[int]]:
    """Numbers of the answers that are the same, class by class in the order of their first members.

    Args:
        answers (`Sequence[str | None]`):
            Answers as [`~trl_dsmath.text.read_answer`] returns them. `None` and what cannot be read stays out.
        time_limit (`float`, *optional*, defaults to `5.0`):
            Seconds of CPU time for a comparison that needs computer algebra.

    Returns:
        `list[list[int]]`
    """
    classes = AnswerClasses(time_limit)
    classes.add(answers)
    return classes.members


def vote(
    answers: Sequence[str | None], weights: Sequence[float] | None = None, time_limit: float = TIME_LIMIT
) -> Vote:
    """Counts answers, grouped by equivalence.

    Of two classes with the same weight, the one whose first member came first wins.

    Args:
        answers (`Sequence[str | None]`):
            Answers as [`~trl_dsmath.text.read_answer`] returns them.
        weights (`Sequence[float]`, *optional*):
            The weight of each answer, a reward model's score for example. If `None`, one each.
        time_limit (`float`, *optional*, defaults to `5.0`):
            Seconds of CPU time for a comparison that needs computer algebra.

    Returns:
        [`Vote`]
    """
    classes = AnswerClasses(time_limit)
    classes.add(answers)
    return classes.vote(weights)


def best_of_n(answers: Sequence[str | None], scores: Sequence[float]) -> int | None:
    """Number of the best-scored answer that can be read, the first of equals; `None` when none can be read."""
    readable = [
        i for i, text in enumerate(answers) if text is not None and text.strip() and parse_gold(text) is not None
    ]
    return max(readable, key=lambda i: scores[i], default=None)

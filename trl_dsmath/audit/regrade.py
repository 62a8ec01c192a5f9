"""Both graders' verdicts on a run's completions, what kind each disagreement is, and which advantages it would change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from ..data.columns import read_gold
from ..grading import Verdict, judge
from ..text import read_answer
from .logged import Logged
from .math_verify import Second, digest, judge_with_trl
from .signs import several_boxes

KINDS = {
    "timeout": "one grader did not finish in time",
    "gold": "a grader cannot read the gold, or rejects it as an answer to itself",
    "boxes": "several different boxes: they read different ones",
    "unread": "the grader that rejects it found no answer",
    "ours only": "both read an answer, only ours accepts it",
    "math-verify only": "both read an answer, only math-verify accepts it",
    "reward": "both agree, the run's own reward was another",
}


@dataclass
class Judged:
    """
    A completion with its verdicts.

    Attributes:
        logged ([`Logged`]):
            The completion.
        ours ([`~trl_dsmath.grading.Verdict`]), read (`str`, *optional*):
            Our verdict, and the answer that was read.
        second ([`Second`]):
            What TRL's grader says.
        kind (`str`):
            Kind of the disagreement, a key of `KINDS`; empty where there is none.
    """

    logged: Logged
    ours: Verdict
    read: str | None
    second: Second
    kind: str = ""

    @property
    def rewards(self) -> dict[str, float | None]:
        """The reward by each grader, and the run's own."""
        run = self.logged.reward
        return {
            "ours": self.ours.reward,
            "math-verify": self.second.reward,
            "the run's reward": None if run is None else float(run > 0),
        }


@dataclass
class Case:
    """One completion to settle, or several that are the same: what differs is where they stand."""

    key: str
    judged: list[Judged] = field(default_factory=list)


def regrade(logged: Sequence[Logged], file: Path) -> list[Judged]:
    """
    Judges a run's completions with both graders. Those without a gold are left out.

    Args:
        logged (`Sequence[Logged]`):
            See [`read_run`].
        file (`Path`):
            Where the verdicts of TRL's grader are kept.
    """
    known = [one for one in logged if one.gold is not None]
    read = [read_answer(one.text) for one in known]
    ours = judge(read, [one.gold for one in known])
    theirs = judge_with_trl([(str(one.gold), one.text) for one in known], file)
    judged = [Judged(*row) for row in zip(known, ours, read, theirs, strict=True)]
    apart = [one for one in judged if one.rewards["ours"] != one.rewards["math-verify"]]
    golds = list(dict.fromkeys(str(one.logged.gold) for one in apart))
    bare = [read_gold(gold) for gold in golds]
    by_trl = judge_with_trl([(gold, f"\\boxed{{{answer}}}") for gold, answer in zip(golds, bare, strict=True)], file)
    by_us = judge(bare, golds)
    both = zip(by_us, by_trl, strict=True)
    unsure = {gold for gold, pair in zip(golds, both, strict=True) if not pair[0].reward or not pair[1].reward}
    for one in judged:
        one.kind = _kind(one, str(one.logged.gold) in unsure)
    return judged


def _kind(one: Judged, gold_is_unsure: bool) -> str:
    ours, theirs, run = one.rewards.values()
    if ours == theirs:
        return "reward" if run is not None and ours is not None and run != ours else ""
    if Verdict.TIMEOUT in (one.ours, one.second.verdict):
        return "timeout"
    if gold_is_unsure or None in (ours, theirs):
        return "gold"
    if several_boxes(one.logged):
        return "boxes"
    if Verdict.NO_ANSWER in (one.ours, one.second.verdict):
        return "unread"
    return "ours only" if ours else "math-verify only"


def signs_of(rewards: Sequence[float | None]) -> tuple[int, ...]:
    """The sign of each advantage of a group: 1 above its mean, -1 below, 0 at it or without a reward."""
    known = [reward for reward in rewards if reward is not None]
    return tuple(
        0 if reward is None else (len(known) * reward > sum(known)) - (len(known) * reward < sum(known))
        for reward in rewards
    )


def changed_groups(judged: Iterable[Judged], one: str, other: str) -> dict[str, int]:
    """
    Groups whose advantages two of `rewards` would set otherwise.

    Returns:
        `dict[str, int]`: `groups`, those with a reward by either; `changed`, with another sign of some advantage; `only one`, `only
            other`: those that have any advantage, and so teach something, under one of them only.
    """
    counts = {"groups": 0, "changed": 0, "only one": 0, "only other": 0}
    for _, group in groupby(judged, key=lambda row: row.logged.group):
        rewards = [row.rewards for row in group]
        columns = [[reward[name] for reward in rewards] for name in (one, other)]
        first, second = map(signs_of, columns)
        counts["groups"] += any(reward is not None for column in columns for reward in column)
        counts["changed"] += first != second
        counts["only one"] += any(first) and not any(second)
        counts["only other"] += any(second) and not any(first)
    return counts


def cases(judged: Iterable[Judged]) -> list[Case]:
    """The disagreements by kind, each completion of a problem once."""
    found: dict[tuple[str, str, str], Case] = {}
    order = list(KINDS)
    for one in sorted((one for one in judged if one.kind), key=lambda one: order.index(one.kind)):
        name = (one.logged.prompt, one.logged.text, str(one.logged.gold))
        found.setdefault(name, Case(digest(*name))).judged.append(one)
    return list(found.values())

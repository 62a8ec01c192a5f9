"""When a vote may end before all samples are drawn."""

from collections.abc import Sequence
from math import comb
from typing import Literal

from ..grading.votes import AnswerClass

Adaptive = Literal["exact", "beta", "off"]
BETA_CONFIDENCE = 0.99


def decided(classes: Sequence[AnswerClass], left: int, most: float = 1.0) -> bool:
    """Whether no outcome of the samples that are left can change the winner.

    Args:
        classes (`Sequence[AnswerClass]`):
            The candidates so far, the winner first.
        left (`int`):
            Samples that are not drawn yet.
        most (`float`, *optional*, defaults to `1.0`):
            What one sample can weigh at most.

    Returns:
        `bool`: by the rule of [`~trl_dsmath.grading.votes.vote`], ties included: a rival that can just reach the leader
        changes nothing when the leader's first member came before its own; nor does an answer not seen yet.
    """
    if not classes:
        return left == 0
    leader, gain = classes[0], left * most
    if leader.weight < gain:
        return False
    return all(
        leader.weight > rival.weight + gain
        or (leader.weight == rival.weight + gain and leader.members[0] < rival.members[0])
        for rival in classes[1:]
    )


def probably_decided(classes: Sequence[AnswerClass], confidence: float = BETA_CONFIDENCE) -> bool:
    """Whether the leader is the more frequent of the two foremost answers with this probability, from a flat prior.

    Source: the stopping rule of Adaptive-Consistency (arXiv 2305.11860), P(p1 > p2) under Beta(v1 + 1, v2 + 1).
    """
    if not classes:
        return False
    first = int(classes[0].weight)
    second = int(classes[1].weight) if len(classes) > 1 else 0
    tosses = first + second + 1
    # P(Beta(a, b) > 1/2) for whole a and b is the chance of fewer than a heads in a + b - 1 tosses.
    return sum(comb(tosses, heads) for heads in range(first + 1)) / 2**tosses > confidence


def next_round(classes: Sequence[AnswerClass], drawn: int, total: int, rule: Adaptive, most: float = 1.0) -> int:
    """How many samples to draw before it is worth looking again; 0 when the vote is over.

    The number is the fewest after which the rule can possibly be met, were they all for the leader. So nothing is drawn
    in vain, and the rounds are as large as they can be.
    """
    left = total - drawn
    if rule == "off":
        return left
    if _over(classes, left, rule, most):
        return 0
    return next(
        (more for more in range(1, left) if _over(_all_for_leader(classes, more, most), left - more, rule, most)), left
    )


def _over(classes: Sequence[AnswerClass], left: int, rule: Adaptive, most: float) -> bool:
    return probably_decided(classes) if rule == "beta" else decided(classes, left, most)


def _all_for_leader(classes: Sequence[AnswerClass], more: int, most: float) -> list[AnswerClass]:
    leader = classes[0] if classes else AnswerClass("", (0,), 0.0)
    return [AnswerClass(leader.answer, leader.members, leader.weight + more * most), *classes[1:]]

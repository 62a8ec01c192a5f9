"""When a vote may end before all samples are drawn."""

from collections.abc import Sequence
from math import comb
from typing import Literal

from ..grading.votes import AnswerClass

Adaptive = Literal["exact", "beta", "off"]
BETA_CONFIDENCE = 0.99


def decided(classes: Sequence[AnswerClass], left: int) -> bool:
    """Whether no outcome of the samples that are left, each of weight 1 at most, can change the winner (the first class).

    By the rule of [`~trl_dsmath.grading.votes.vote`], ties included: a rival that can just reach the leader changes nothing
    when the leader's first member came before its own; nor does an answer not seen yet.
    """
    if not classes:
        return left == 0
    leader = classes[0]
    if leader.weight < left:
        return False
    return all(
        leader.weight > rival.weight + left
        or (leader.weight == rival.weight + left and leader.members[0] < rival.members[0])
        for rival in classes[1:]
    )


def probably_decided(classes: Sequence[AnswerClass]) -> bool:
    """Whether the leader is, from a flat prior, with `BETA_CONFIDENCE` the more frequent of the two foremost answers.

    Source: the stopping rule of Adaptive-Consistency (arXiv 2305.11860), P(p1 > p2) under Beta(v1 + 1, v2 + 1).
    """
    if not classes:
        return False
    first = int(classes[0].weight)
    second = int(classes[1].weight) if len(classes) > 1 else 0
    tosses = first + second + 1
    # P(Beta(a, b) > 1/2) for whole a and b is the chance of fewer than a heads in a + b - 1 tosses.
    return sum(comb(tosses, heads) for heads in range(first + 1)) / 2**tosses > BETA_CONFIDENCE


def next_round(classes: Sequence[AnswerClass], drawn: int, total: int, rule: Adaptive) -> int:
    """How many samples to draw before it is worth looking again; 0 when the vote is over.

    The number is the fewest after which the rule can possibly be met, were they all for the leader. So nothing is drawn
    in vain, and the rounds are as large as they can be.
    """
    left = total - drawn
    if rule == "off":
        return left
    if _over(classes, left, rule):
        return 0
    leader = classes[0] if classes else AnswerClass("", (0,), 0.0)
    for more in range(1, left):
        ahead = AnswerClass(leader.answer, leader.members, leader.weight + more)
        if _over([ahead, *classes[1:]], left - more, rule):
            return more
    return left


def _over(classes: Sequence[AnswerClass], left: int, rule: Adaptive) -> bool:
    return probably_decided(classes) if rule == "beta" else decided(classes, left)

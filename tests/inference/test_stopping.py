"""Stopping early: the exact rule never changes the answer, and draws no sample in vain."""

import random
from dataclasses import replace

import pytest

from trl_dsmath.grading.votes import AnswerClass, AnswerClasses
from trl_dsmath.inference.stopping import decided, next_round, probably_decided


def classes(*counts: int) -> list[AnswerClass]:
    """Classes with these weights; their first members came in this order."""
    return [AnswerClass(str(i), (i,), float(count)) for i, count in enumerate(counts)]


def test_unanimous_votes_end_at_half() -> None:
    assert next_round([], 0, 64, "exact") == 32  # 32 for the first answer: what comes later can only tie, and loses
    assert not decided(classes(31), 33)
    assert decided(classes(32), 32)
    assert next_round(classes(32), 32, 64, "exact") == 0


def test_a_rival_that_can_tie() -> None:
    leader, rival = AnswerClass("a", (0,), 5.0), AnswerClass("b", (1,), 3.0)
    assert decided([leader, rival], 2)  # 5 : 5, and `a` came first
    assert not decided([leader, rival], 3)
    late, early = AnswerClass("a", (1,), 5.0), AnswerClass("b", (0,), 3.0)
    assert not decided([late, early], 2)  # 5 : 5, and `b` came first
    assert decided([late, early], 1)
    # The first member counts, not the last.
    leader, rival = AnswerClass("a", (0, 7), 5.0), AnswerClass("b", (1, 6), 3.0)
    assert decided([leader, rival], 2) and not decided(
        [replace(leader, members=(1, 7)), replace(rival, members=(0, 6))], 2
    )
    assert decided([], 0) and not decided([], 1)  # no answer yet: any can win


def test_rounds_by_hand() -> None:
    # 20 : 8 after 33 of 64, 31 left: 10 more for the leader make 30 : 8 with 21 left, 29 >= 8 + 21 ... the tie is won.
    assert next_round(classes(20, 8), 33, 64, "exact") == 10
    assert next_round(classes(20, 8), 33, 64, "off") == 31
    assert next_round(classes(1, 1), 2, 2, "exact") == next_round(classes(1, 1), 2, 2, "off") == 0
    assert next_round([], 4, 8, "exact") == 2  # four without an answer: 2 of the 4 left may decide


@pytest.mark.parametrize("weighted", [False, True])
def test_the_exact_rule_gives_the_answer_of_all_votes(weighted: bool) -> None:
    rng = random.Random(0)
    saved = 0
    for _ in range(400):
        answers: list[str | None] = [rng.choice(["1", "2", "2.0", "3", "3", None]) for _ in range(16)]
        if rng.random() < 0.5:
            answers = [answer if rng.random() < 0.3 else "3" for answer in answers]
        weights = [rng.choice([0.25, 0.5, 1.0]) for _ in answers] if weighted else None
        full, early, drawn = AnswerClasses(), AnswerClasses(), 0
        full.add(answers)
        while more := next_round(early.vote(weights).classes, drawn, 16, "exact"):
            early.add(answers[drawn : drawn + more])
            drawn += more
        assert early.vote(weights).answer == full.vote(weights).answer
        saved += 16 - drawn
    assert saved > 0


def test_no_round_is_longer_than_it_must_be() -> None:
    """One sample at a time stops at the same place: larger rounds draw nothing that it would not have drawn."""
    rng = random.Random(1)
    for _ in range(100):
        answers = [rng.choice("1233333") for _ in range(24)]
        ends = []
        for one_by_one in (False, True):
            found, drawn = AnswerClasses(), 0
            while more := next_round(found.vote().classes, drawn, 24, "exact"):
                more = 1 if one_by_one else more
                found.add(answers[drawn : drawn + more])
                drawn += more
            ends.append(drawn)
        assert ends[0] == ends[1]


def test_the_beta_rule_by_hand() -> None:
    # Unanimous v votes: P(Beta(v + 1, 1) > 1/2) = 1 - 2^-(v + 1): 0.984 at five, 0.992 at six.
    assert not probably_decided(classes(5))
    assert probably_decided(classes(6))
    assert not probably_decided(classes(6, 1))
    assert next_round([], 0, 64, "beta") == 6

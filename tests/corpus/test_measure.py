"""Precision, recall, average precision and AUC, by hand."""

from collections import Counter

import pytest

from trl_dsmath.corpus.measure import Tally, area_under_roc


def test_metrics_by_hand() -> None:
    tally = Tally()
    # Ranking: math, other, math | math; the bar is the cut.
    for is_math, score, kept, host in [
        (True, 40, True, "a"), (False, 30, True, "b"), (True, 20, True, "a"), (True, 10, False, "a"),
    ]:  # fmt: skip
        tally.add(is_math, score, kept, host)
    assert tally.precision == pytest.approx(2 / 3)
    assert tally.recall == pytest.approx(2 / 3)
    assert tally.average_precision == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    assert tally.report()["false_positives"] == {"b": 1}


def test_pages_of_one_score_are_one_step() -> None:
    tally = Tally()
    for is_math in (True, False, True, False):
        tally.add(is_math, 7, True, "h")
    assert tally.average_precision == pytest.approx(0.5)


def test_one_kind_alone_gives_no_metrics() -> None:
    tally = Tally()
    tally.add(True, 1, True, "h")
    assert tally.report() is None


def test_area_under_roc() -> None:
    scores = Counter({0: 2, 5: 1, 9: 1})
    assert area_under_roc([10], scores) == 1.0
    assert area_under_roc([5], scores) == pytest.approx((2 + 0.5) / 4)
    assert area_under_roc([10, -1], scores) == 0.5
    assert area_under_roc([1], Counter()) == 1.0  # nothing is left outside the collected pages


def test_best_threshold_weighs_precision() -> None:
    tally = Tally()
    for score, is_math, count in [(30, True, 30), (20, True, 10), (20, False, 1), (10, True, 5), (10, False, 30)]:
        for _ in range(count):
            tally.add(is_math, score, False, "h")
    # F0.5 at 30: 1.25 * 30 / (11.25 + 30) = 0.909; at 20: 1.25 * 40 / (11.25 + 41) = 0.957; at 10: 1.25 * 45 / 87.25.
    assert tally.best_threshold() == 20
    few = Tally()
    few.add(True, 1, False, "h")
    few.add(False, 0, False, "h")
    assert few.best_threshold() is None

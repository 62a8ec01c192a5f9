"""Precision, recall, average precision and AUC, by hand."""

import re
from collections import Counter

import pytest

from trl_dsmath.corpus.measure import Tally, area_under_roc, find_trouble


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


def _report(**changes: object) -> dict:
    figures = {"round": 1, "pages": 100, "all_pages": 1000, "tokens": 1000, "labelled": None, "estimated": None}
    seed = {"seed_held_out": 100, "seed_recall": 0.8, "seed_auc": 0.9, "seed_auc_crawl": 0.9}
    return {**figures, **seed, **changes}


def _known(precision: float | None, pages: int = 20, kept: int = 400) -> dict:
    hosts = {f"{letter}.test": 9 - n for n, letter in enumerate("abcde")}
    return {"precision": precision, "pages": pages, "kept": kept, "false_positives": hosts}


POOR = {"seed_auc_crawl": 0.64, "seed_recall": 0.24}  # 10 % of the crawl is collected


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        ({"pages": 0}, [], "nothing is collected"),
        ({}, [], None),
        (POOR, [], "it collects 24% of the held-out seed pages and 10% of the crawl.* in 64% of pairs"),
        ({**POOR, "seed_held_out": 20}, [], "learned nothing"),
        ({**POOR, "seed_held_out": 19}, [], None),  # too few to judge
        ({**POOR, "seed_auc_crawl": 0.65}, [], None),
        ({**POOR, "seed_recall": 0.25}, [], None),  # 15 points more than of the crawl
        # Two standard errors of 100 pages are 10 points, of 25 pages 20.
        ({"seed_auc": 0.79}, [{}], "0.79 after 0.90"),
        ({"seed_auc": 0.81}, [{}], None),
        ({"seed_auc": 0.79, "seed_held_out": 25}, [{}], None),
        ({"seed_auc": 0.69, "seed_held_out": 25}, [{}], "rank lower"),
        ({"seed_auc": 0.79}, [{"seed_auc": 0.8}, {"seed_auc": 0.99}], None),  # the first round counts
        ({"seed_recall": 0.49}, [{}], "49% of the held-out seed pages are collected, 80% in round 1"),
        ({"seed_recall": 0.51}, [{}], None),
        # What is labelled.
        ({"labelled": _known(None)}, [], "nothing of the labelled sample is collected"),
        ({"labelled": _known(None, pages=19)}, [], None),
        ({"labelled": _known(0.49)}, [{}], r"only 49% .* a.test \(9\), b.test \(8\), c.test \(7\), d.test \(6\)\.$"),
        ({"labelled": _known(0.5)}, [{}], None),
        ({"labelled": _known(0.49)}, [], None),
        ({"labelled": _known(0.79)}, [{"labelled": _known(0.9)}, {"labelled": _known(0.6)}], "fell from 0.90 to 0.79"),
        ({"labelled": _known(0.81)}, [{"labelled": _known(0.9)}], None),
        ({"labelled": _known(0.75, kept=25)}, [{"labelled": _known(0.9)}], None),  # 20 points are chance
        ({"labelled": _known(0.69, kept=25)}, [{"labelled": _known(0.9)}], "fell from"),
        ({"labelled": _known(0.75)}, [{"labelled": _known(None)}, {}], None),
        ({"estimated": _known(0.4)}, [{}], "by pages under annotated prefixes"),
        # Size counts with automatic decisions only.
        ({"tokens": 5000}, [{}], None),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_round(now: dict, before: list[dict], said: str | None) -> None:
    found = find_trouble([*(_report(**changes) for changes in before), _report(**now)], automatic=False)
    assert found is None if said is None else re.search(said, found or ""), found


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        ({"tokens": 2000}, [{}], None),
        ({"tokens": 2001}, [{}], "grew to 2.0 times"),
        ({"tokens": 2001}, [], None),
        ({"tokens": 2001, "labelled": _known(0.9)}, [{}], None),
        ({"tokens": 500, "seed_recall": 0.6}, [{}], None),
        ({"tokens": 499, "seed_recall": 0.69}, [{}], "shrank to 50% of that of round 1"),
        ({"tokens": 499, "seed_recall": 0.71}, [{}], None),  # the seed is still collected: what went was other
        ({"tokens": 700, "seed_recall": 0.6}, [{}, {"round": 2, "tokens": 1500}], "shrank to 47% of that of round 2"),
        ({"tokens": 499, "seed_recall": None, "seed_held_out": 0}, [{}], "shrank"),
        ({"estimated": _known(0.4)}, [{}], None),  # estimated from the same decisions
        ({"labelled": _known(0.4)}, [{}], "only 40%"),
    ],
)
def test_what_is_wrong_with_a_round_that_nobody_looked_at(now: dict, before: list[dict], said: str | None) -> None:
    found = find_trouble([*(_report(**changes) for changes in before), _report(**now)], automatic=True)
    assert found is None if said is None else re.search(said, found or ""), found


def test_a_threshold_needs_25_pages_of_each_kind_and_the_lower_of_equals_loses() -> None:
    for right, wrong, threshold in ((25, 25, 5), (24, 25, None), (25, 24, None)):
        tally = Tally()
        for is_math, score, count in ((True, 5, right), (False, 3, wrong)):
            for _ in range(count):
                tally.add(is_math, score, False, "h")
        assert tally.best_threshold() == threshold
    assert Tally().precision is Tally().recall is Tally().average_precision is None


def test_ten_hosts_with_most_false_positives_are_named() -> None:
    tally = Tally()
    tally.add(True, 1, True, "good")
    for n in range(11):
        for _ in range(1 + n // 2):
            tally.add(False, 1, True, f"h{n:02d}")
    report = tally.report()
    assert list(report["false_positives"])[:3] == ["h10", "h08", "h09"] and len(report["false_positives"]) == 10
    assert (report["pages"], report["math"], report["kept"], report["recall"]) == (37, 1, 37, 1.0)
    assert report["precision"] == round(1 / 37, 4) == report["average_precision"]

"""Metrics worked by hand."""

import numpy as np
import pytest
from transformers import EvalPrediction

from trl_dsmath.prm.metrics import (
    auroc,
    compute_step_metrics,
    first_error,
    harmonic_mean,
    mean_loss,
    metrics_table,
    step_metrics,
)


@pytest.mark.parametrize(
    ("scores", "right", "expected"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0.0),
        ([0.5, 0.5, 0.5], [1, 0, 0], 0.5),  # ties count a half
        ([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0], 0.75),  # 3 of 4 pairs in order
        ([0.9, 0.6, 0.6, 0.1], [1, 1, 0, 0], 0.875),  # 3 and a tie
        ([0.9, 0.1], [1, 1], None),
    ],
)
def test_auroc(scores: list, right: list, expected: float | None) -> None:
    assert auroc(np.array(scores), np.array(right, dtype=bool)) == expected


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    numbers = np.random.default_rng(0)
    scores, right = numbers.integers(0, 8, 200) / 8, numbers.random(200) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in scores[right] for b in scores[~right]]
    assert auroc(scores, right) == pytest.approx(np.mean(pairs))


def test_first_error() -> None:
    assert first_error(np.array([True, False, False])) == 1
    assert first_error(np.array([True, True])) == -1


def test_step_metrics_by_hand() -> None:
    scores = [np.array(row) for row in ([0.9, 0.2, 0.9], [0.8, 0.9], [0.3, 0.9], [0.9, 0.1, 0.2], [0.7])]
    labels = [
        np.array(row, dtype=float)
        for row in (
            [1, 0, 0],  # first error at 1, found at 1
            [1, 0],  # first error at 1, none found
            [1, 1],  # none, but one found at 0
            [1, np.nan, 0],  # the unlabelled step is left out: first error at the third, found there
            [0.5],  # a soft label of one half counts as right; none, none found
        )
    ]
    figures = step_metrics(scores, labels)
    # labelled steps: 3 + 2 + 2 + 2 + 1 = 10; right side of 0.5: (1,1,0), (1,0), (0,1), (1,1), (1)
    assert figures["step_accuracy"] == pytest.approx(7 / 10)
    assert figures["share_right"] == pytest.approx(6 / 10)
    assert figures["error_accuracy"] == pytest.approx(2 / 3)
    assert figures["correct_accuracy"] == pytest.approx(1 / 2)
    assert figures["first_error_f1"] == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))


def test_figures_that_are_not_defined_are_absent() -> None:
    figures = step_metrics([np.array([0.9, 0.8])], [np.array([1.0, 1.0])])
    assert set(figures) == {"step_accuracy", "share_right", "correct_accuracy"}
    assert "not defined" in metrics_table({"eval_step_accuracy": 1.0})
    assert step_metrics([np.array([0.9])], [np.array([np.nan])]) == {}


def test_logits_padded_as_the_trainer_gives_them() -> None:
    logits, labels = np.array([[2.0, -2.0], [1000.0, -1000.0]]), np.array([[1.0, 0.0], [0.0, -100.0]])
    figures = compute_step_metrics(EvalPrediction(logits, labels))
    assert figures["step_accuracy"] == pytest.approx(2 / 3) and figures["share_right"] == pytest.approx(1 / 3)
    assert figures["auroc"] == 0.5  # the right one is above one of the two wrong ones
    assert mean_loss(logits, labels) == pytest.approx((2 * np.log1p(np.exp(-2)) + 1000) / 3)
    # A label of a quarter at a logit of log 3, a probability of 3/4: 1/4 log 4/3 + 3/4 log 4.
    soft = mean_loss(np.array([[np.log(3)]]), np.array([[0.25]]))
    assert soft == pytest.approx(0.25 * np.log(4 / 3) + 0.75 * np.log(4))


def test_the_harmonic_mean() -> None:
    assert harmonic_mean(1, 0.5) == pytest.approx(2 / 3) and harmonic_mean(0, 0) == harmonic_mean(0, 1) == 0

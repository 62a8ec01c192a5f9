"""How well scores tell right steps from wrong ones. Shape suffixes: N solutions, S steps."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .encoding import NO_LABEL

if TYPE_CHECKING:
    from transformers import EvalPrediction

THRESHOLD = 0.5


def auroc(scores: np.ndarray, right: np.ndarray) -> float | None:
    """Area under the ROC curve: how often a right step is scored above a wrong one, ties counted as a half.

    `None` when all steps are right or all are wrong.
    """
    positives, negatives = int(right.sum()), int((~right).sum())
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # equal scores share the mean of their ranks
    return float((ranks[place][right].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def first_error(right: np.ndarray) -> int:
    """Index of the first wrong step, -1 when there is none."""
    return int(np.argmin(right)) if right.size and not right.all() else -1


def harmonic_mean(one: float, other: float) -> float:
    """The harmonic mean; 0 where both are 0."""
    return 2 * one * other / (one + other) if one + other else 0.0


def step_metrics(scores: list[np.ndarray], labels: list[np.ndarray], threshold: float = THRESHOLD) -> dict[str, float]:
    """Compares scores with labels. Steps without a label (NaN) are left out; a label below 0.5 is a wrong step.

    Args:
        scores (`list[np.ndarray]`):
            For each solution the scores of its steps, from 0 to 1.
        labels (`list[np.ndarray]`):
            Their labels, from 0 to 1 or NaN.
        threshold (`float`, *optional*, defaults to `0.5`):
            A step whose score is not above it counts as wrong, as in the code of PRMBench and ReasonEval.

    Returns:
        `dict[str, float]`: a metric that is not defined for these labels is absent.

            - `step_accuracy`: share of the steps on whose side of the threshold the score is; `share_right`: what always saying
              "right" would get.
            - `auroc`: of the steps.
            - `first_error_f1`: harmonic mean of `error_accuracy` (solutions with a wrong step whose first one was found)
              and `correct_accuracy` (solutions without one in which none was found).

    Source: ProcessBench (arXiv 2412.06559), section 4, for the F1.
    """
    if not any((~np.isnan(row)).any() for row in labels):
        return {}
    flat_scores, flat_right = [], []
    found: dict[bool, list[bool]] = {True: [], False: []}
    for score_S, label_S in zip(scores, labels, strict=True):
        known = ~np.isnan(label_S)
        if not known.any():
            continue
        right_S, predicted_S = label_S[known] >= THRESHOLD, score_S[known] > threshold
        flat_scores.append(score_S[known])
        flat_right.append(right_S)
        truth = first_error(right_S)
        found[truth == -1].append(first_error(predicted_S) == truth)
    score, right = np.concatenate(flat_scores), np.concatenate(flat_right)
    figures: dict[str, float | None] = {
        "step_accuracy": float(((score > threshold) == right).mean()),
        "share_right": float(right.mean()),
        "auroc": auroc(score, right),
        "error_accuracy": float(np.mean(found[False])) if found[False] else None,
        "correct_accuracy": float(np.mean(found[True])) if found[True] else None,
    }
    erroneous, correct = figures["error_accuracy"], figures["correct_accuracy"]
    if erroneous is not None and correct is not None:
        figures["first_error_f1"] = harmonic_mean(erroneous, correct)
    return {name: value for name, value in figures.items() if value is not None}


def compute_step_metrics(prediction: "EvalPrediction") -> dict[str, float]:
    """The metrics of `step_metrics` from what [`PRMTrainer`] predicts: logits and labels of (N, S), padded with -100."""
    logits_NS, labels_NS = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
    labels_NS = np.where(labels_NS == NO_LABEL, np.nan, labels_NS)
    scores_NS = 1 / (1 + np.exp(-logits_NS.clip(-60, 60)))
    return step_metrics(list(scores_NS), list(labels_NS))


def mean_loss(logits_NS: np.ndarray, labels_NS: np.ndarray) -> float:
    """Cross-entropy between labels and logits, the mean over labelled steps."""
    known = labels_NS != NO_LABEL
    logits, labels = logits_NS[known].astype(np.float64), labels_NS[known]
    return float((np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))).mean())


def metrics_table(figures: Mapping[str, Any]) -> str:
    """The metrics of an evaluation as a table for the terminal."""
    names = {
        "step_accuracy": "step accuracy",
        "share_right": "  (share of right steps)",
        "auroc": "step AUROC",
        "first_error_f1": "first-error F1",
        "error_accuracy": "  found in wrong solutions",
        "correct_accuracy": "  none found in right ones",
        "loss": "loss",
    }
    lines = []
    for name, title in names.items():
        value = figures.get(f"eval_{name}")
        lines.append(f"{title:<28}{'not defined' if value is None else f'{value:.4f}'}")
    return "\n".join(lines)

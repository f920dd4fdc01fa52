"""What people look at beside the metrics: calibration, the ROC curve, thresholds, latency quantiles. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tidegate.components.evaluator.catalogue import BINARY, MULTICLASS
from tidegate.components.evaluator.intervals import BINS, Interval
from tidegate.components.evaluator.requirements import Requirements, ThresholdChoice

Array = NDArray[Any]


def calibration(task: str, labels: Array, predictions: Array) -> list[dict[str, float]]:
    """Bins of the prediction: its mean, what was observed, how many. For classes: of the most likely class.

    Probabilities are binned equally wide; real predictions by their deciles. Empty bins are left out.
    """
    if task == MULTICLASS:
        labels, predictions = (predictions.argmax(axis=1) == labels).astype(float), predictions.max(axis=1)
    if task in (BINARY, MULTICLASS):
        edges = np.linspace(0, 1, BINS + 1)
        place = np.clip((predictions * BINS).astype(int), 0, BINS - 1)
    else:
        edges = np.unique(np.quantile(predictions, np.linspace(0, 1, BINS + 1)))
        edges = edges if len(edges) > 1 else np.array([edges[0], edges[0]])
        place = np.clip(np.searchsorted(edges, predictions, side="right") - 1, 0, len(edges) - 2)
    rows = []
    for b in range(len(edges) - 1):
        chosen = place == b
        if chosen.any():
            rows.append(
                {
                    "low": float(edges[b]),
                    "high": float(edges[b + 1]),
                    "predicted": float(predictions[chosen].mean()),
                    "observed": float(labels[chosen].mean()),
                    "count": int(chosen.sum()),
                }
            )
    return rows


def _curve(labels: Array, scores: Array) -> tuple[Array, Array, Array]:
    """(thresholds, true positives, false positives) at each distinct score, from the highest down; score >= t."""
    order = np.argsort(-scores, kind="stable")
    ranked, positive = scores[order], labels[order] == 1
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    return ranked[last], np.cumsum(positive)[last], np.cumsum(~positive)[last]


def roc(labels: Array, scores: Array, points: int = 200) -> list[dict[str, float]]:
    """At most about `points` points of the curve, from (0, 0) to (1, 1)."""
    _, tp, fp = _curve(labels, scores)
    fpr, tpr = np.append(0.0, fp / fp[-1]), np.append(0.0, tp / tp[-1])
    along = np.searchsorted(fpr + tpr, np.linspace(0, 2, points))
    keep = np.unique(np.clip(np.append(along, [0, len(fpr) - 1]), 0, len(fpr) - 1))
    return [{"fpr": float(fpr[i]), "tpr": float(tpr[i])} for i in keep]


def thresholds(choices: tuple[ThresholdChoice, ...], labels: Array, scores: Array) -> list[dict[str, Any]]:
    """For each choice the decision threshold (positive: score >= threshold) and what it gives.

    `threshold` is None where no threshold satisfies the bound.
    """
    at, tp, fp = _curve(labels, scores)
    positives, negatives = tp[-1], fp[-1]
    precision, recall = tp / (tp + fp), tp / positives
    found = []
    for choice in choices:
        allowed = np.ones(len(at), bool)
        shown: dict[str, Any] = {"objective": choice.objective}
        if choice.objective == "f1":
            goal = 2 * tp / (2 * tp + fp + positives - tp)
        elif choice.objective == "recall":
            goal, allowed = recall, precision >= choice.bound
            shown["precision_at_least"] = choice.bound
        elif choice.objective == "precision":
            goal, allowed = precision, recall >= choice.bound
            shown["recall_at_least"] = choice.bound
        else:
            costs = choice.false_positive * fp + choice.false_negative * (positives - tp)
            goal = -costs / (positives + negatives)
            shown |= {"false_positive": choice.false_positive, "false_negative": choice.false_negative}
        if not allowed.any():
            found.append(shown | {"threshold": None, "precision": None, "recall": None})
            continue
        best = int(np.argmax(np.where(allowed, goal, -np.inf)))
        shown |= {"threshold": float(at[best]), "precision": float(precision[best]), "recall": float(recall[best])}
        shown["f1"] = float(2 * tp[best] / (tp[best] + fp[best] + positives))
        if choice.objective == "cost":
            shown["cost"] = float(-goal[best])
        found.append(shown)
    return found


def latency(taken: Array, share: float, confidence: float) -> Interval:
    """A quantile of the times with the distribution-free interval of order statistics (binomial)."""
    ordered = np.sort(taken)
    n = len(ordered)
    low = int(stats.binom.ppf((1 - confidence) / 2, n, share))
    high = int(stats.binom.ppf((1 + confidence) / 2, n, share))
    return Interval(
        float(np.quantile(ordered, share)), float(ordered[max(low - 1, 0)]), float(ordered[min(high, n - 1)])
    )


def own_metrics(wanted: Requirements, labels: Array, predictions: Array) -> dict[str, float]:
    """The values of the catalogue's metrics that TFMA has not."""
    found: dict[str, float] = {}
    if "brier_score" in wanted.metrics:
        found["brier_score"] = float(np.mean((predictions - labels) ** 2))
    if "expected_calibration_error" in wanted.metrics:
        bins = calibration(BINARY, labels, predictions)
        found["expected_calibration_error"] = float(
            sum(b["count"] * abs(b["predicted"] - b["observed"]) for b in bins) / len(labels)
        )
    return found

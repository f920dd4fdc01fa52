"""How sure a metric is: standard errors from each example's influence, or from a bootstrap. Pure, NumPy only.

Every estimate keeps either its influence values or its bootstrap replicates, one entry for each example or replicate
in the same order for all models, so that the difference of two models on the same examples is paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tidegate.components.evaluator.catalogue import Metric

Array = NDArray[Any]
REPLICATES = 200
BINS = 10
"""Of the calibration error: equally wide."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and what its uncertainty is made of."""

    value: float
    examples: int
    influence: Array | None = None
    """(n,): by how much each example moved the value; the squares' sum is the variance."""
    replicates: Array | None = None
    """(B,)"""
    successes: float | None = None
    trials: float | None = None
    classes: tuple[int, int] | None = None
    """How many positives and negatives an AUC compares."""


@dataclass(frozen=True, slots=True)
class Interval:
    value: float
    low: float
    high: float


def influence_of_means(columns: Array, function: Callable[[Array], Any]) -> Array:
    """The delta method: influence of each row of `columns` (n, k) on function(mean of the rows), (n,).

    Its derivative is taken numerically (central differences); exact to about 1e-8 for the catalogue's functions.
    """
    means = columns.mean(axis=0)
    gradient = np.empty_like(means)
    for i in range(len(means)):
        step = 1e-6 * max(abs(means[i]), 1e-6)
        up, down = means.copy(), means.copy()
        up[i] += step
        down[i] -= step
        gradient[i] = (function(up) - function(down)) / (2 * step)
    return ((columns - means) @ gradient) / len(columns)


def influence_of_auc(labels: Array, scores: Array) -> Array | None:
    """DeLong's structural components as influence values, (n,); None where one class is missing.

    DeLong, DeLong, Clarke-Pearson (1988); midranks as in Sun & Xu (2014), O(n log n).
    """
    positive = labels == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        return None
    ranks = stats.rankdata(scores)
    own = np.empty(len(scores))
    own[positive] = stats.rankdata(scores[positive])
    own[~positive] = stats.rankdata(scores[~positive])
    placement = np.where(positive, (ranks - own) / n, 1.0 - (ranks - own) / m)
    auc = placement[positive].mean()
    centred = (placement - auc) / np.where(positive, m, n)
    # the unbiased variance divides by m - 1 and n - 1
    return centred * np.sqrt(np.where(positive, m / max(m - 1, 1), n / max(n - 1, 1)))


def poisson_weights(examples: int, seed: int, replicates: int = REPLICATES) -> Array:
    """(examples, B) of Poisson(1) counts as bytes: how often each example is drawn in each replicate."""
    table = stats.poisson.ppf((np.arange(65536) + 0.5) / 65536, 1).astype(np.uint8)
    generator = np.random.default_rng(seed)
    return table[generator.integers(0, 65536, (examples, replicates), dtype=np.uint16)]


def calibration_cells(labels: Array, predictions: Array, weights: Array) -> Array:
    """(BINS, 3, B) of count, labels, predictions summed by bin of the prediction; weights (n, B)."""
    bins = np.clip((predictions * BINS).astype(np.int64), 0, BINS - 1)
    cells = np.zeros((BINS, 3, weights.shape[1]))
    rows = np.stack([np.ones(len(labels)), labels, predictions]).astype(np.float32)
    for b in range(BINS):
        chosen = np.flatnonzero(bins == b)
        for start in range(0, len(chosen), 16384):
            part = chosen[start : start + 16384]
            cells[b] += rows[:, part] @ weights[part].astype(np.float32)
    return cells


def calibration_error(cells: Array) -> Array:
    """Expected calibration error (Naeini et al. 2015) of each replicate, (B,)."""
    return np.abs(cells[:, 1] - cells[:, 2]).sum(axis=0) / cells[:, 0].sum(axis=0)


def precision_recall_areas(labels: Array, scores: Array, weights: Array, cells: int = 2000) -> Array:
    """Average precision of each replicate, (B,), on at most `cells` groups of neighbouring scores."""
    order = np.argsort(-scores, kind="stable")
    weights, positive = weights[order], labels[order] == 1
    starts = np.unique(np.linspace(0, len(order), min(cells, len(order)), endpoint=False).astype(np.int64))
    everyone = np.add.reduceat(weights, starts, axis=0, dtype=np.int32)
    right = np.add.reduceat(weights * positive[:, None], starts, axis=0, dtype=np.int32)
    found, drawn = np.cumsum(right, axis=0), np.cumsum(everyone, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sum(right * found / np.maximum(drawn, 1), axis=0) / found[-1]


def estimate(metric: Metric, value: float, labels: Array, predictions: Array, weights: Array | None) -> Estimate:
    """What is known of `metric` on these examples; `weights` (n, B) are needed for method `bootstrap` only."""
    n = len(labels)
    if metric.method == "none" or not np.isfinite(value):
        return Estimate(value, n)
    if metric.method == "bootstrap":
        assert weights is not None
        if metric.name == "expected_calibration_error":
            return Estimate(value, n, replicates=calibration_error(calibration_cells(labels, predictions, weights)))
        return Estimate(value, n, replicates=precision_recall_areas(labels, predictions, weights))
    if metric.method == "auc":
        if not metric.macro:
            positives = int((labels == 1).sum())
            return Estimate(
                value, n, influence=influence_of_auc(labels, predictions), classes=(positives, n - positives)
            )
        parts = [influence_of_auc(labels == c, predictions[:, c]) for c in range(predictions.shape[1])]
        known = [p for p in parts if p is not None]
        return Estimate(value, n, influence=np.mean(known, axis=0) if len(known) == len(parts) else None)
    assert metric.columns is not None and metric.function is not None
    columns = metric.columns(labels, predictions)
    moved = influence_of_means(columns, metric.function)
    if metric.method == "proportion":
        successes, trials = columns.sum(axis=0)
        return Estimate(value, n, influence=moved, successes=float(successes), trials=float(trials))
    return Estimate(value, n, influence=moved * np.sqrt(n / max(n - 1, 1)))


def standard_error(estimate: Estimate) -> float | None:
    if estimate.influence is not None:
        return float(np.sqrt(np.sum(estimate.influence**2)))
    if estimate.replicates is not None:
        return float(np.nanstd(estimate.replicates, ddof=1))
    return None


def interval(estimate: Estimate, confidence: float, low: float = -np.inf, high: float = np.inf) -> Interval | None:
    """The two-sided interval, within [low, high]; None where there is none (a count, one class only, one example)."""
    error = standard_error(estimate)
    if error is None or not np.isfinite(error) or not np.isfinite(estimate.value) or estimate.examples < 2:
        return None
    if estimate.trials:
        assert estimate.successes is not None
        return _wilson(estimate.value, estimate.successes, estimate.trials, confidence)
    if error == 0.0 and estimate.classes is not None:
        return _separated(estimate.value, estimate.classes, confidence)
    half = error * float(stats.t.ppf(0.5 + confidence / 2, estimate.examples - 1))
    return Interval(estimate.value, max(low, estimate.value - half), min(high, estimate.value + half))


def difference(one: Estimate, other: Estimate, confidence: float) -> Interval | None:
    """one - other, paired: both were made of the same examples in the same order."""
    value = one.value - other.value
    if one.influence is not None and other.influence is not None:
        paired = Estimate(value, one.examples, influence=one.influence - other.influence)
    elif one.replicates is not None and other.replicates is not None:
        paired = Estimate(value, one.examples, replicates=one.replicates - other.replicates)
    else:
        return None
    return interval(paired, confidence)


def _wilson(value: float, successes: float, trials: float, confidence: float) -> Interval:
    """Wilson (1927): never of width 0, so that 30 of 30 right does not count as certainty."""
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return Interval(value, min(value, max(0.0, float(centre - half))), max(value, min(1.0, float(centre + half))))


def _separated(value: float, classes: tuple[int, int], confidence: float) -> Interval:
    """For an AUC of 0 or 1, where DeLong's variance is 0: Newcombe's score interval (2006, method 5)."""
    m, n = classes
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    top = max(value, 1 - value)
    half_count = (m + n) / 2 - 1

    def gap(auc: float) -> float:
        a = auc * (1 - auc)
        spread = 1 + half_count * (1 - auc) / (2 - auc) + half_count * auc / (1 + auc)
        return (top - auc) - z * float(np.sqrt(a * spread / (m * n)))

    lower, upper = 0.5, top
    for _ in range(60):
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if gap(middle) > 0 else (lower, middle)
    return Interval(value, lower, value) if value > 0.5 else Interval(value, value, 1 - lower)

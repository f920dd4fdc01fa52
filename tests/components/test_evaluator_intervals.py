"""Intervals cover what they say, and agree with what is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from tidegate.components.evaluator import intervals
from tidegate.components.evaluator.analysis import latency, thresholds
from tidegate.components.evaluator.catalogue import METRICS
from tidegate.components.evaluator.requirements import ThresholdChoice
from tidegate.components.evaluator.verdicts import gap


def draw(count: int, seed: int, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = (generator.random(count) < 0.3).astype(float)
    return labels, 1 / (1 + np.exp(-(generator.normal(size=count) + shift * labels - 1)))


def test_the_auc_interval_covers_the_true_value_as_often_as_it_says() -> None:
    truth = stats.norm.cdf(1 / np.sqrt(2))  # the AUC of two unit normals one apart
    covered = 0
    for seed in range(300):
        labels, scores = draw(300, seed)
        made = intervals.estimate(METRICS["auc"], roc_auc_score(labels, scores), labels, scores, None)
        found = intervals.interval(made, 0.9, 0, 1)
        assert found is not None
        covered += found.low <= truth <= found.high
    assert 0.85 <= covered / 300 <= 0.95


@pytest.mark.parametrize("name", ["auc", "f1_score", "binary_crossentropy", "matthews_correlation_coefficient"])
def test_influence_agrees_with_the_bootstrap(name: str) -> None:
    labels, scores = draw(1500, 7)
    metric = METRICS[name]

    def value(rows: np.ndarray) -> float:
        if name == "auc":
            return float(roc_auc_score(labels[rows], scores[rows]))
        assert metric.columns is not None and metric.function is not None
        return float(metric.function(metric.columns(labels[rows], scores[rows]).mean(axis=0)))

    generator = np.random.default_rng(0)
    drawn = [value(generator.integers(0, 1500, 1500)) for _ in range(400)]
    made = intervals.estimate(metric, value(np.arange(1500)), labels, scores, None)

    assert intervals.standard_error(made) == pytest.approx(np.std(drawn), rel=0.15)


def test_the_bootstrap_of_the_precision_recall_area_centres_on_average_precision() -> None:
    labels, scores = draw(4000, 8)

    areas = intervals.precision_recall_areas(labels, scores, intervals.poisson_weights(4000, 1, 100))
    plain = intervals.precision_recall_areas(labels, scores, np.ones((4000, 1), np.uint8), cells=4000)

    assert plain[0] == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    assert areas.mean() == pytest.approx(plain[0], abs=3 * areas.std())


def test_all_right_is_not_certainty() -> None:
    labels = np.array([0.0, 1.0] * 15)
    for name in ("binary_accuracy", "recall", "auc"):
        found = intervals.interval(intervals.estimate(METRICS[name], 1.0, labels, labels, None), 0.95, 0, 1)
        assert found is not None and 0.7 < found.low < 0.95 and found.high == 1.0


def test_one_class_only_has_no_interval() -> None:
    labels, scores = np.zeros(50), np.linspace(0, 1, 50)

    assert intervals.interval(intervals.estimate(METRICS["auc"], float("nan"), labels, scores, None), 0.95) is None


def test_a_gap_of_equal_slices_is_not_taken_for_real() -> None:
    generator = np.random.default_rng(3)
    slices = {}
    for i in range(20):
        right = (generator.random(400) < 0.8).astype(float)
        made = intervals.estimate(METRICS["binary_accuracy"], right.mean(), np.ones(400), right, None)
        slices[str(i)] = intervals.interval(made, 0.95 ** (1 / 20), 0, 1)

    found = gap("binary_accuracy", "origin", slices)

    assert found is not None and found.gap > 0.03 and found.low == 0.0


def test_thresholds_meet_their_bounds_and_cost_follows_the_prices() -> None:
    labels, scores = draw(3000, 9)
    cheap, dear = (ThresholdChoice("cost", 0, 1, price) for price in (1, 10))
    impossible = ThresholdChoice("recall", bound=1.0)

    low, high, bounded, none = thresholds(
        (dear, cheap, ThresholdChoice("precision", bound=0.8), impossible), labels, scores
    )

    assert low["threshold"] < high["threshold"] and bounded["recall"] >= 0.8
    assert none["threshold"] is None or none["precision"] == 1.0
    chosen = scores >= bounded["threshold"]
    assert bounded["precision"] == pytest.approx(labels[chosen].mean())


def test_a_latency_quantile_has_an_interval_of_order_statistics() -> None:
    found = latency(np.arange(1, 401, dtype=float), 0.5, 0.95)

    assert found.value == pytest.approx(200.5) and (found.low, found.high) == (180.0, 221.0)

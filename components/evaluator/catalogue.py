"""The metrics that requirements can name: TFMA's names and classes, and what each needs for an interval. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Columns = Callable[[Array, Array], Array]
"""(labels (n,), predictions (n,) or (n, classes)) -> what is averaged over the examples, (n, k)."""

BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
TASKS = (BINARY, MULTICLASS, REGRESSION)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `method` says where its uncertainty comes from:

    mean       a smooth `function` of the means of `columns`: the delta method
    proportion counted successes over counted trials (`columns` are the two): Wilson's score interval
    auc        DeLong's components
    bootstrap  the Poisson bootstrap of `intervals.py`
    none       a count, or measured otherwise (latency)
    """

    name: str
    tasks: frozenset[str]
    method: Literal["mean", "proportion", "auc", "bootstrap", "none"]
    tfma: str = ""
    """TFMA's or Keras' class; empty where the metric is ours."""
    config: Mapping[str, Any] = field(default_factory=dict)
    macro: bool = False
    """The mean over the classes of the binary metric (TFMA's macro_average)."""
    columns: Columns | None = None
    function: Callable[[Array], Any] | None = None
    low: float = -np.inf
    high: float = np.inf


def _confusion(labels: Array, predictions: Array) -> Array:
    """(n, 4) of tp, tn, fp, fn at TFMA's default threshold: positive means more than 0.5."""
    actual, predicted = labels == 1, predictions > 0.5
    return np.stack(
        [actual & predicted, ~actual & ~predicted, ~actual & predicted, actual & ~predicted], axis=1
    ).astype(np.float64)


def _confusions(labels: Array, predictions: Array) -> Array:
    """(n, 4 * classes): each class against the rest."""
    classes = predictions.shape[1]
    return np.concatenate([_confusion(labels == c, predictions[:, c]) for c in range(classes)], axis=1)


def _ratio(numerator: list[float], denominator: list[float]) -> tuple[Columns, Callable[[Array], Any]]:
    """Both as weights of tp, tn, fp, fn."""
    weights = np.array([numerator, denominator]).T
    return (lambda y, p: _confusion(y, p) @ weights), _quotient


def _quotient(means: Array) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return means[0] / means[1]


def _macro(numerator: list[float], denominator: list[float]) -> Callable[[Array], Any]:
    def function(means: Array) -> Any:
        cells = means.reshape(-1, 4)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.mean((cells @ np.array(numerator)) / (cells @ np.array(denominator)))

    return function


def _balanced_accuracy(m: Array) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (m[0] / (m[0] + m[3]) + m[1] / (m[1] + m[2])) / 2


def _matthews(m: Array) -> Any:
    tp, tn, fp, fn = m
    with np.errstate(divide="ignore", invalid="ignore"):
        return (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


def _log_loss(labels: Array, predictions: Array) -> Array:
    p = np.clip(predictions.astype(np.float64), 1e-7, 1 - 1e-7)  # Keras' epsilon
    return -np.where(labels == 1, np.log(p), np.log1p(-p))[:, None]


def _sparse_log_loss(labels: Array, predictions: Array) -> Array:
    chosen = predictions[np.arange(len(labels)), labels.astype(np.int64)] / predictions.sum(axis=1)
    return -np.log(np.clip(chosen, 1e-7, 1 - 1e-7))[:, None]


def _percentage(labels: Array, predictions: Array) -> Array:
    counted = labels != 0  # TFMA leaves out labels of 0, where the error is not defined
    safe = np.where(counted, labels, 1.0)
    return np.stack([np.where(counted, 100 * np.abs((labels - predictions) / safe), 0.0), counted], axis=1)


def _moments(y: Array, p: Array) -> Array:
    return np.stack([y, p, y * y, p * p, y * p], axis=1)


def _squared_correlation(m: Array) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (m[4] - m[0] * m[1]) ** 2 / ((m[2] - m[0] ** 2) * (m[3] - m[1] ** 2))


def _first(means: Array) -> Any:
    return means[0]


def _trials(successes: Callable[[Array, Array], Array]) -> Columns:
    return lambda y, p: np.stack([successes(y, p), np.ones(len(y), bool)], axis=1).astype(np.float64)


def _catalogue() -> dict[str, Metric]:
    two, many, real = frozenset({BINARY}), frozenset({MULTICLASS}), frozenset({REGRESSION})
    every = two | many | real
    found: list[Metric] = [
        Metric("example_count", every, "none", "ExampleCount", low=0),
        Metric("prediction_latency_p50_ms", every, "none", low=0),
        Metric("prediction_latency_p99_ms", every, "none", low=0),
        Metric("auc", two, "auc", "AUC", low=0, high=1),
        Metric("auc_precision_recall", two, "bootstrap", "AUCPrecisionRecall", low=0, high=1),
        Metric("expected_calibration_error", two, "bootstrap", low=0, high=1),
        Metric("auc_macro", many, "auc", "AUC", macro=True, low=0, high=1),
    ]

    def rate(name: str, tfma: str, numerator: list[float], denominator: list[float]) -> None:
        columns, function = _ratio(numerator, denominator)
        counted = {0.0, 1.0}.issuperset(numerator + denominator)
        method: Literal["mean", "proportion"] = "proportion" if counted else "mean"
        found.append(Metric(name, two, method, tfma, columns=columns, function=function, low=0, high=1))

    #    tp, tn, fp, fn
    rate("binary_accuracy", "BinaryAccuracy", [1, 1, 0, 0], [1, 1, 1, 1])
    rate("precision", "Precision", [1, 0, 0, 0], [1, 0, 1, 0])
    rate("recall", "Recall", [1, 0, 0, 0], [1, 0, 0, 1])
    rate("specificity", "Specificity", [0, 1, 0, 0], [0, 1, 1, 0])
    rate("fall_out", "FallOut", [0, 0, 1, 0], [0, 1, 1, 0])
    rate("miss_rate", "MissRate", [0, 0, 0, 1], [1, 0, 0, 1])
    rate("negative_predictive_value", "NegativePredictiveValue", [0, 1, 0, 0], [0, 1, 0, 1])
    rate("false_discovery_rate", "FalseDiscoveryRate", [0, 0, 1, 0], [1, 0, 1, 0])
    rate("false_omission_rate", "FalseOmissionRate", [0, 0, 0, 1], [0, 1, 0, 1])
    rate("prevalence", "Prevalence", [1, 0, 0, 1], [1, 1, 1, 1])
    rate("predicted_positive_rate", "PredictedPositiveRate", [1, 0, 1, 0], [1, 1, 1, 1])
    rate("threat_score", "ThreatScore", [1, 0, 0, 0], [1, 0, 1, 1])
    rate("f1_score", "F1Score", [2, 0, 0, 0], [2, 0, 1, 1])

    def mean(
        name: str,
        tasks: frozenset[str],
        tfma: str,
        columns: Columns,
        function: Callable[[Array], Any] = _first,
        low: float = 0,
        high: float = np.inf,
        macro: bool = False,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        found.append(
            Metric(
                name, tasks, "mean", tfma, config or {}, macro, columns=columns, function=function, low=low, high=high
            )
        )

    mean("balanced_accuracy", two, "BalancedAccuracy", _confusion, _balanced_accuracy, high=1)
    mean("matthews_correlation_coefficient", two, "MatthewsCorrelationCoefficient", _confusion, _matthews, -1, 1)
    mean("binary_crossentropy", two, "BinaryCrossentropy", _log_loss)
    mean("brier_score", two, "", lambda y, p: ((p - y) ** 2)[:, None], high=1)
    scalar = two | real
    mean("mean_label", scalar, "MeanLabel", lambda y, _: y[:, None], low=-np.inf)
    mean("mean_prediction", scalar, "MeanPrediction", lambda _, p: p[:, None], low=-np.inf)
    mean("calibration", scalar, "Calibration", lambda y, p: np.stack([p, y], axis=1), _quotient, low=-np.inf)
    accuracy = _trials(lambda y, p: p.argmax(axis=1) == y)
    found.append(
        Metric(
            "sparse_categorical_accuracy",
            many,
            "proportion",
            "SparseCategoricalAccuracy",
            columns=accuracy,
            function=_quotient,
            low=0,
            high=1,
        )
    )
    mean("sparse_categorical_crossentropy", many, "SparseCategoricalCrossentropy", _sparse_log_loss)
    mean("precision_macro", many, "Precision", _confusions, _macro([1, 0, 0, 0], [1, 0, 1, 0]), high=1, macro=True)
    mean("recall_macro", many, "Recall", _confusions, _macro([1, 0, 0, 0], [1, 0, 0, 1]), high=1, macro=True)
    mean("f1_score_macro", many, "F1Score", _confusions, _macro([2, 0, 0, 0], [2, 0, 1, 1]), high=1, macro=True)
    mean("mean_squared_error", real, "MeanSquaredError", lambda y, p: ((p - y) ** 2)[:, None])
    mean("mean_absolute_error", real, "MeanAbsoluteError", lambda y, p: np.abs(p - y)[:, None])
    mean(
        "root_mean_squared_error",
        real,
        "RootMeanSquaredError",
        lambda y, p: ((p - y) ** 2)[:, None],
        lambda m: np.sqrt(m[0]),
    )
    mean("mean_absolute_percentage_error", real, "MeanAbsolutePercentageError", _percentage, _quotient)
    mean("squared_pearson_correlation", real, "SquaredPearsonCorrelation", _moments, _squared_correlation, high=1)
    return {m.name: m for m in found}


METRICS: Mapping[str, Metric] = _catalogue()

DEFAULTS: Mapping[str, tuple[str, ...]] = {
    BINARY: ("auc", "binary_accuracy", "precision", "recall", "calibration", "binary_crossentropy"),
    MULTICLASS: ("sparse_categorical_accuracy", "sparse_categorical_crossentropy", "auc_macro"),
    REGRESSION: ("mean_absolute_error", "mean_squared_error", "calibration"),
}
LATENCIES: Mapping[str, float] = {"prediction_latency_p50_ms": 0.5, "prediction_latency_p99_ms": 0.99}


def of_task(task: str) -> list[str]:
    """The names that a task of this kind can use, sorted."""
    return sorted(m.name for m in METRICS.values() if task in m.tasks)

"""TFMA's own metric computations, without Beam.

TFMA's metrics are Beam combiners: an accumulator that examples are added to one at a time, then results derived from
the accumulators. Only that adding is slow, so here the accumulators of the combiners that we know are filled from
whole arrays, and any other combiner gets its examples one by one. What comes out of the accumulators is TFMA's code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from numpy.typing import NDArray
from tensorflow_model_analysis.contrib.aggregates import binary_confusion_matrices as matrices
from tensorflow_model_analysis.metrics import calibration_histogram, metric_specs, metric_types
from tensorflow_model_analysis.metrics import multi_class_confusion_matrix_metrics as classes
from tensorflow_model_analysis.proto import config_pb2

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Scored:
    """Examples of one slice: labels (n,), predictions (n,) or (n, classes), both float64."""

    labels: Array
    predictions: Array

    def of_class(self, sub_key: Any) -> Scored:
        """The one-against-the-rest problem of a class, where the metric asks for one."""
        if sub_key is None or sub_key.class_id is None:
            return self
        return Scored((self.labels == sub_key.class_id).astype(np.float64), self.predictions[:, sub_key.class_id])


class Computations:
    """The computations of some metrics specs, de-duplicated as TFMA's evaluator does it."""

    def __init__(self, specs: list[config_pb2.MetricsSpec], eval_config: config_pb2.EvalConfig) -> None:
        every = metric_specs.to_computations(specs, eval_config=eval_config)
        self._eval_config = eval_config
        self._combined = _unique(c for c in every if isinstance(c, metric_types.MetricComputation))
        self._derived = _unique(c for c in every if isinstance(c, metric_types.DerivedMetricComputation))

    def evaluate(self, scored: Scored) -> dict[Any, Any]:
        """MetricKey or PlotKey -> value, private ones left out."""
        found: dict[Any, Any] = {}
        for computation in self._combined:
            fill = _FILLS.get(type(computation.combiner).__name__, _one_by_one)
            accumulator = fill(computation.combiner, scored)
            found.update(computation.combiner.extract_output(accumulator))
        with np.errstate(divide="ignore", invalid="ignore"):
            for derived in self._derived:
                found.update(derived.result(found))
        return {k: v for k, v in found.items() if not k.name.startswith("_")}


def _unique(computations: Any) -> list[Any]:
    return list(dict.fromkeys(computations))


# ------------------------------------------------------------ filling accumulators from whole arrays
def _histogram(combiner: Any, scored: Scored) -> Any:
    one = scored.of_class(combiner._key.sub_key)
    last = combiner._num_buckets + 1
    place = (one.predictions - combiner._left) / combiner._range * combiner._num_buckets + 1
    bucket = np.where(place < 0, 0, np.minimum(place, last)).astype(np.int64)
    used = np.flatnonzero(np.bincount(bucket, minlength=last + 1))
    totals = (
        np.bincount(bucket, of, last + 1)[used].astype(float).tolist() for of in (one.labels, one.predictions, None)
    )
    # Plain numbers: TFMA loops over the buckets in Python.
    return {b: calibration_histogram.Bucket(b, *t) for b, *t in zip(used.tolist(), *totals, strict=True)}


def _confusion(combiner: Any, scored: Scored) -> Any:
    one = scored.of_class(combiner._key.sub_key)
    positive = one.labels == 1
    right, wrong = np.sort(one.predictions[positive]), np.sort(one.predictions[~positive])
    accumulator = combiner.create_accumulator()
    for threshold in combiner._binary_confusion_matrices._thresholds:
        fn = int(np.searchsorted(right, threshold, side="right"))
        tn = int(np.searchsorted(wrong, threshold, side="right"))
        matrix = matrices.Matrix(tp=float(len(right) - fn), tn=float(tn), fp=float(len(wrong) - tn), fn=float(fn))
        accumulator[threshold] = matrices._ThresholdEntry(matrix, [], [], [], [])
    return accumulator


def _totals(combiner: Any, scored: Scored) -> Any:
    one = scored.of_class(combiner._key.sub_key)
    accumulator = combiner.create_accumulator()
    accumulator.total_weighted_labels = float(one.labels.sum())
    accumulator.total_weighted_predictions = float(one.predictions.sum())
    accumulator.total_weighted_examples = float(len(one.labels))
    return accumulator


def _count(_: Any, scored: Scored) -> float:
    return float(len(scored.labels))


def _errors(error: Callable[[Array, Array], Array]) -> Callable[[Any, Scored], Any]:
    def fill(combiner: Any, scored: Scored) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = error(scored.labels, scored.predictions)
        known = found[np.isfinite(found)]
        accumulator = combiner.create_accumulator()
        accumulator.total_regression_error = float(known.sum())
        accumulator.total_example_weights = float(len(known))
        return accumulator

    return fill


def _correlation(combiner: Any, scored: Scored) -> Any:
    y, p = scored.labels, scored.predictions
    accumulator = combiner.create_accumulator()
    accumulator.total_weighted_labels = float(y.sum())
    accumulator.total_weighted_predictions = float(p.sum())
    accumulator.total_weighted_squared_labels = float((y * y).sum())
    accumulator.total_weighted_squared_predictions = float((p * p).sum())
    accumulator.total_weighted_labels_times_predictions = float((y * p).sum())
    accumulator.total_weighted_examples = float(len(y))
    return accumulator


def _keras(combiner: Any, scored: Scored) -> Any:
    """Keras metrics take batches by themselves."""
    combiner.setup()
    accumulator = combiner.create_accumulator()
    labels, predictions = scored.labels.astype(np.float32), scored.predictions.astype(np.float32)
    for output_index, output_name in enumerate(combiner._output_names):
        for metric_index, metric in enumerate(combiner._metrics[output_name]):
            metric.reset_states()
            for start in range(0, len(labels), 65536):
                rows = slice(start, start + 65536)
                metric.update_state(labels[rows, None], predictions[rows].reshape(len(labels[rows]), -1))
            accumulator.add_weights(output_index, metric_index, metric.get_weights())
    return accumulator


def _class_matrix(combiner: Any, scored: Scored) -> Any:
    best, actual = scored.predictions.argmax(axis=1), scored.labels.astype(np.int64)
    score = scored.predictions[np.arange(len(best)), best]
    accumulator = combiner.create_accumulator()
    for threshold in combiner._thresholds:
        predicted = np.where(score <= threshold, classes.NO_PREDICTED_CLASS_ID, best)
        cells, counts = np.unique(np.stack([actual, predicted], axis=1), axis=0, return_counts=True)
        accumulator[threshold] = {
            classes.MatrixEntryKey(int(a), int(b)): float(n) for (a, b), n in zip(cells, counts, strict=True)
        }
    return accumulator


def _one_by_one(combiner: Any, scored: Scored) -> Any:
    accumulator = combiner.create_accumulator()
    for label, prediction in zip(scored.labels, scored.predictions, strict=True):
        inputs = {
            tfma.LABELS_KEY: np.array([label]),
            tfma.PREDICTIONS_KEY: np.atleast_1d(prediction),
            tfma.EXAMPLE_WEIGHTS_KEY: None,
        }
        accumulator = combiner.add_input(accumulator, metric_types.StandardMetricInputs(inputs))
    return accumulator


_FILLS: dict[str, Callable[[Any, Scored], Any]] = {
    "_CalibrationHistogramCombiner": _histogram,
    "_BinaryConfusionMatrixCombiner": _confusion,
    "_WeightedLabelsPredictionsExamplesCombiner": _totals,
    "_ExampleCountCombiner": _count,
    "_MeanAbsoluteErrorCombiner": _errors(lambda y, p: np.abs(y - p)),
    "_MeanSquaredErrorCombiner": _errors(lambda y, p: (y - p) ** 2),
    "_MeanAbsolutePercentageErrorCombiner": _errors(lambda y, p: np.where(y == 0, np.nan, 100 * np.abs((y - p) / y))),
    "_SquaredPearsonCorrelationCombiner": _correlation,
    "_MultiClassConfusionMatrixCombiner": _class_matrix,
    "_CompilableMetricsCombiner": _keras,
}

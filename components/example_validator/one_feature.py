"""How well one feature alone predicts the label: a table of its bins, fitted on half the rows, measured on the rest."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_BINS = 64
_CLASSES = 20  # a label of numbers with more distinct values is a quantity
_PRIOR = 1.0  # rows of the overall rate that each bin's own rate is smoothed with


def predictive_power(feature: pa.Array, label: pa.Array) -> float:
    """From 0 (chance) to 1 (always right), on the odd rows after a fit on the even ones.

    Two classes: 2 AUC - 1. More: the part of the majority guess's mistakes that is saved. A quantity: R squared.
    """
    known = label.is_valid().to_numpy(zero_copy_only=False)
    bins, target = binned(feature.filter(pa.array(known))), label.drop_null()
    fit, rest = slice(0, None, 2), slice(1, None, 2)
    coded = target.dictionary_encode()
    classes = len(coded.dictionary)
    if classes < 2 or len(target) < 4:
        return 0.0
    if classes == 2:
        truth = coded.indices.to_numpy() == 1
        rates = _rates(bins[fit], truth[fit].astype(np.float64), int(bins.max()) + 1)
        return abs(2 * auc(rates[bins[rest]], truth[rest]) - 1)
    numeric = pa.types.is_integer(target.type) or pa.types.is_floating(target.type)
    if numeric and classes > _CLASSES:
        values = target.to_numpy().astype(np.float64)
        guessed = _rates(bins[fit], values[fit], int(bins.max()) + 1)[bins[rest]]
        spread = float(((values[rest] - values[fit].mean()) ** 2).sum())
        return max(0.0, 1 - float(((values[rest] - guessed) ** 2).sum()) / spread) if spread else 0.0
    return _saved_mistakes(bins, coded.indices.to_numpy(), fit, rest)


def binned(feature: pa.Array) -> NDArray[np.int64]:
    """A number for each value; of numbers with many values, for each of 64 quantiles. Missing ones have their own."""
    coded = feature.dictionary_encode()
    missing = ~feature.is_valid().to_numpy(zero_copy_only=False)
    numeric = pa.types.is_integer(feature.type) or pa.types.is_floating(feature.type)
    if numeric and len(coded.dictionary) > _BINS:
        values = feature.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
        edges = np.unique(np.nanquantile(values[~missing], np.linspace(0, 1, _BINS + 1)[1:-1]))
        found = np.searchsorted(edges, values, side="right")
    else:
        found = coded.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(missing, found.max(initial=0) + 1, found)


def auc(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The area under the ROC curve, by ranks (Mann-Whitney), ties counted half; 0.5 where there is one class only."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return 0.5
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _rates(bins: NDArray[np.int64], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    sums = np.bincount(bins, values, minlength=count)
    rows = np.bincount(bins, minlength=count)
    return (sums + _PRIOR * values.mean()) / (rows + _PRIOR)


def _saved_mistakes(bins: NDArray[np.int64], classes: NDArray[np.int32], fit: slice, rest: slice) -> float:
    width = int(classes.max()) + 1
    table = np.bincount(bins[fit] * width + classes[fit], minlength=(int(bins.max()) + 1) * width).reshape(-1, width)
    common = int(np.bincount(classes[fit]).argmax())
    guess = np.where(table.sum(axis=1) > 0, table.argmax(axis=1), common)
    mistakes, chance = (guess[bins[rest]] != classes[rest]).mean(), (classes[rest] != common).mean()
    return max(0.0, float(1 - mistakes / chance)) if chance else 0.0

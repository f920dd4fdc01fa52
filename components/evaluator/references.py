"""Reference predictors: what a model must beat to be worth its while. Pure but for reading the training split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidegate.components.evaluator.catalogue import MULTICLASS
from tidegate.components.evaluator.examples import groups


def rates(
    train: Mapping[str, pa.Array],
    train_labels: NDArray[np.float64],
    evaluated: Mapping[str, pa.Array],
    by: tuple[str, ...],
    smoothing: float,
    task: str,
    classes: int = 0,
) -> NDArray[np.float64]:
    """Each evaluated example's group mean of the training labels, shrunk towards the overall mean.

    (sum + smoothing * overall) / (count + smoothing), the group being the combination of the features `by` (a missing
    value is a value); an unseen group gets the overall mean. Shape (n,), or (n, classes) for task multiclass.
    """
    joined = []
    for feature in by:
        both = pa.chunked_array([train[feature], evaluated[feature].cast(train[feature].type)]).combine_chunks()
        # A null becomes a group of its own: dictionary numbers, shifted by one.
        joined.append(pa.array(both.dictionary_encode().indices.fill_null(-1).to_numpy() + 1))
    number, names = groups(joined)
    train_number, number = number[: len(train_labels)], number[len(train_labels) :]
    targets = np.eye(classes)[train_labels.astype(int)] if task == MULTICLASS else train_labels[:, None]
    counts = np.bincount(train_number, minlength=len(names))[:, None]
    sums = np.stack([np.bincount(train_number, t, minlength=len(names)) for t in targets.T], axis=1)
    overall = targets.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        table = np.where(counts + smoothing > 0, (sums + smoothing * overall) / (counts + smoothing), overall)
    predicted = table[number]
    return predicted if task == MULTICLASS else predicted[:, 0]

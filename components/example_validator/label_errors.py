"""Rows whose label is likely wrong: confident learning (cleanlab) on out-of-fold predictions of boosted trees."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tidegate.components.example_validator.data_checks import Check
from tidegate.components.example_validator.one_feature import binned

_FOLDS = 3
_CLASSES = 20


def label_errors(
    columns: Mapping[str, pa.Array],
    label: str,
    bound: float = 0.2,
    verdict: str = "warn",
    rows: int = 5000,
    seed: int = 42,
) -> Check:
    """The share of labels, in the first `rows`, that a model of the other features confidently contradicts.

    An upper estimate: labels that depend on what is not among the features look like errors too.
    """
    from cleanlab.filter import find_label_issues
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    coded = columns[label].slice(0, rows).dictionary_encode()
    classes = len(coded.dictionary)
    known = coded.indices.is_valid().to_numpy(zero_copy_only=False)
    labels = coded.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.bincount(labels[known], minlength=classes)
    if not 2 <= classes <= _CLASSES:
        return Check(
            "label_errors", "ok", f"not looked for: {label!r} has {classes} distinct values, not 2 to {_CLASSES}"
        )
    usable = known & (counts >= _FOLDS)[labels]
    kept, labels = np.unique(labels[usable], return_inverse=True)
    names = sorted(name for name in columns if name != label)
    if len(kept) < 2 or not names:
        return Check("label_errors", "ok", "not looked for: too few rows or features")
    inputs = np.column_stack([_numbers(columns[name].slice(0, rows)) for name in names])[usable]
    model = HistGradientBoostingClassifier(max_iter=40, random_state=seed, early_stopping=False)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    chances = cross_val_predict(model, inputs, labels, cv=folds, method="predict_proba")
    issues = find_label_issues(labels, chances, n_jobs=1)
    share = float(np.mean(issues))
    said = f"{int(np.sum(issues))} of {len(labels)} labels looked at are contradicted by the other features"
    return Check("label_errors", verdict if share > bound else "ok", said, share, bound)


def _numbers(column: pa.Array) -> np.ndarray:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return binned(column).astype(np.float64)

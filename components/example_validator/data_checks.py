"""Checks of the rows themselves that TFDV has not; each a pure function of columns. `value` above `bound` is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidegate.components.example_validator.one_feature import predictive_power

Columns = Mapping[str, pa.Array]
"""feature -> one value a row, null where it is missing."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    verdict: str
    """ok, warn or fail."""
    detail: str
    value: float | None = None
    bound: float | None = None


def duplicates(digests: Mapping[str, NDArray[np.int64]], bound: float = 0.01, verdict: str = "warn") -> Check:
    """The greatest share of rows, in a split, that repeat an earlier row of it. `digests`: split -> a number a row."""
    shares = {split: 1 - len(np.unique(rows)) / len(rows) for split, rows in digests.items() if len(rows)}
    worst = max(shares.values(), default=0.0)
    said = ", ".join(f"{split} {share:.2%}" for split, share in shares.items())
    return Check(
        "duplicates", verdict if worst > bound else "ok", f"rows that repeat an earlier one: {said}", worst, bound
    )


def shared_rows(digests: Mapping[str, NDArray[np.int64]], bound: float = 0.01, verdict: str = "warn") -> Check:
    """The greatest share of another split's rows that are in the train split too."""
    shares = {
        s: float(np.isin(rows, digests["train"]).mean()) for s, rows in digests.items() if s != "train" and len(rows)
    }
    worst = max(shares.values(), default=0.0)
    said = ", ".join(f"{split} {share:.2%}" for split, share in shares.items())
    return Check(
        "shared_rows", verdict if worst > bound else "ok", f"rows that are in train as well: {said}", worst, bound
    )


def label_values(label: str, column: pa.Array | None, verdict: str = "fail") -> Check:
    """That the label is there, in every row, and varies."""
    if column is None or column.null_count == len(column):
        return Check("label", verdict, f"no row has the label {label!r}")
    if column.null_count:
        return Check("label", verdict, f"{column.null_count} of {len(column)} rows looked at have no label {label!r}")
    distinct = column.unique()
    if len(distinct) == 1:
        return Check(
            "label", verdict, f"all labels are equal: {label!r} is {distinct[0].as_py()!r}; nothing can be learned"
        )
    return Check("label", "ok", f"{len(distinct)} distinct values of {label!r}")


def leakage(columns: Columns, label: str, bound: float = 0.98, verdict: str = "fail") -> Check:
    """Whether one feature alone gives the label: how well it predicts on rows it was not fitted on (see one_feature).

    1 is always right, 0 no better than chance (AUC 0.5).
    """
    power = {name: predictive_power(column, columns[label]) for name, column in columns.items() if name != label}
    ranked = sorted(power.items(), key=lambda item: (-item[1], item[0]))
    worst = ranked[0][1] if ranked else 0.0
    giving = [name for name, value in ranked if value > bound]
    if giving:
        said = f"{', '.join(giving)} alone give{'s' if len(giving) == 1 else ''} the label {label!r}: known before it?"
    else:
        said = "the strongest features alone: " + ", ".join(f"{name} {value:.3f}" for name, value in ranked[:3])
    return Check("leakage", verdict if giving else "ok", said, worst, bound)


def outliers(columns: Columns, bound: float = 0.05, verdict: str = "warn", z: float = 8.0) -> Check:
    """The greatest share, in a numeric feature, of values with a robust z-score above `z`.

    |x - median| / (1.4826 MAD), as in Iglewicz and Hoaglin (1993); the quartiles' range over 1.349 where the MAD is 0.
    Features where both are 0 are left out: most of their values are the same.
    """
    shares: dict[str, float] = {}
    for name, column in columns.items():
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            continue
        values = column.drop_null().to_numpy().astype(np.float64)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        distance = np.abs(values - median)
        scale = 1.4826 * np.median(distance) or (high - low) / 1.349
        if scale > 0:
            shares[name] = float((distance > z * scale).mean())
    ranked = sorted(((share, name) for name, share in shares.items() if share), reverse=True)
    worst = ranked[0][0] if ranked else 0.0
    said = f"values with a robust z-score above {z:g}: " + (", ".join(f"{n} {s:.2%}" for s, n in ranked[:5]) or "none")
    return Check("outliers", verdict if worst > bound else "ok", said, worst, bound)


def time_split(times: Mapping[str, pa.Array], column: str, verdict: str = "fail") -> Check:
    """That every other split begins where train has ended. `times`: split -> that column."""
    plain = {split: one.drop_null().to_numpy(zero_copy_only=False) for split, one in times.items()}
    empty = [split for split, values in plain.items() if not len(values)]
    if empty or "train" not in plain:
        return Check("time_split", verdict, f"no row of {empty[0] if empty else 'train'} has {column!r}")
    end = plain["train"].max()
    early = {split: float((values < end).mean()) for split, values in plain.items() if split != "train"}
    worst = max(early.values(), default=0.0)
    said = ", ".join(
        f"{split} from {_shown(plain[split].min())}, {share:.2%} before that" for split, share in early.items()
    )
    return Check(
        "time_split", verdict if worst > 0 else "ok", f"{column}: train ends at {_shown(end)}; {said}", worst, 0.0
    )


def _shown(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

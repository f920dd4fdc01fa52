"""Which split a row belongs to, and which rows are read at all. Pure: columns in, numbers of splits out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord.columns import single_values

_ORDER = {"train": 0, "eval": 1, "test": 2}
NONE = -1
"""The row belongs to no split."""


class Splits:
    """`splits` and `split_by` as the user gave them, understood.

    Splits have an order of their own (train, eval, test, then by name), since KFP's parameters keep none: by time and
    by span, shares are given out in it, the earliest rows to the first.

    hash            {"train": 2, "eval": 1}: buckets of the SHA-256 of the serialised row, as TFX's hash_buckets
    hash:COLUMN     the same of one column, so that rows with equal values stay together
    column:COLUMN   {"train": ["a", "b"], "eval": ["c"]}: by value
    time:COLUMN     {"train": [null, "2013-09-01"], "eval": ["2013-09-01", null]}: from, to (not included);
                    or shares {"train": 2, "eval": 1}: the earliest two thirds, then the rest, equal times together
    span            shares of the spans of the window, or intervals of their numbers
    """

    def __init__(self, splits: Mapping[str, Any], split_by: str) -> None:
        """Raises: ComponentError for what cannot be understood."""
        self.names = sorted(splits, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
        self.kind, _, self.column = split_by.partition(":")
        self._rules = [splits[name] for name in self.names]
        known = ("hash", "hash:COLUMN", "column:COLUMN", "time:COLUMN", "span")
        needs_column = self.kind in ("column", "time")
        if self.kind not in ("hash", "column", "time", "span") or (needs_column and not self.column):
            raise ComponentError(f"split_by is {split_by!r}; expected one of {', '.join(known)}")
        if not splits:
            raise ComponentError("splits is empty; expected such as {'train': 2, 'eval': 1}")
        for name in self.names:
            if not name or not all(c.isalnum() or c in "_-" for c in name):
                raise ComponentError(f"splits: {name!r} is no name for a split; expected letters, digits, _ or -")
        self._shares = all(isinstance(r, int | float) and not isinstance(r, bool) and r > 0 for r in self._rules)
        lists = all(isinstance(r, list) for r in self._rules)
        intervals = lists and all(len(r) == 2 for r in self._rules)
        fits = {"hash": self._shares, "column": lists}.get(self.kind, self._shares or intervals)
        if self.kind == "hash" and not all(isinstance(r, int) for r in self._rules):
            fits = False
        if not fits:
            wanted = {
                "hash": "numbers of buckets, {'train': 2, 'eval': 1}",
                "column": "lists of values, {'train': ['a', 'b'], 'eval': ['c']}",
            }.get(self.kind, "shares, {'train': 2, 'eval': 1}, or intervals, {'train': [None, 9], 'eval': [9, None]}")
            raise ComponentError(f"splits {dict(splits)} do not go with split_by={split_by!r}; expected {wanted}")

    @property
    def by_content(self) -> bool:
        """Whether the row's serialised bytes decide."""
        return self.kind == "hash" and not self.column

    def of_bytes(self, rows: Sequence[bytes]) -> NDArray[np.int64]:
        """The split of each: its SHA-256 modulo the number of buckets, as TFX has it."""
        bounds = list(accumulate(self._rules))
        table = np.repeat(np.arange(len(self.names)), self._rules)
        picked = [int.from_bytes(hashlib.sha256(row).digest(), "big") % bounds[-1] for row in rows]
        return table[np.array(picked, np.int64)]

    def of_columns(self, table: pa.Table, spans: NDArray[np.int64]) -> NDArray[np.int64]:
        """The split of each row of the whole table; `spans`: the number of the span that each row is of.

        Raises: ComponentError for a column that is missing or has no single values, or bounds that do not go with it.
        """
        if self.kind == "span":
            distinct, which = np.unique(spans, return_inverse=True)
            return self._ordered(pa.array(distinct), "the span")[which]
        column = column_of(table, self.column, f"split_by='{self.kind}:{self.column}'")
        if self.kind == "time":
            return self._ordered(column, repr(self.column))
        if self.kind == "hash":
            return self._by_distinct(column)
        return self._by_value(column)

    def _ordered(self, column: pa.Array, called: str) -> NDArray[np.int64]:
        if self._shares:
            return self._by_share(column)
        split = np.full(len(column), NONE)
        for number, (low, high) in enumerate(self._rules):
            inside = within(column, low, high, f"splits: {self.names[number]}")
            both = inside & (split != NONE)
            if both.any():
                raise ComponentError(
                    f"splits {self.names[split[both][0]]!r} and {self.names[number]!r} overlap by {called}"
                )
            split[inside] = number
        return split

    def _by_share(self, column: pa.Array) -> NDArray[np.int64]:
        """The earliest rows to the first split, in the shares asked for; the later part of a tie moves up."""
        coded = column.dictionary_encode()
        order = pc.sort_indices(coded.dictionary).to_numpy()
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        known = coded.indices.is_valid().to_numpy(zero_copy_only=False)
        ranks = rank[coded.indices.fill_null(0).to_numpy()] if len(order) else np.zeros(len(column), np.int64)
        before = np.concatenate([[0], np.cumsum(np.bincount(ranks[known], minlength=len(order)))[:-1]]) / max(
            known.sum(), 1
        )
        cuts = np.cumsum(self._rules)[:-1] / np.sum(self._rules)
        split = np.searchsorted(cuts, before + 1e-12, side="right")[ranks] if len(order) else ranks
        return np.where(known, split, NONE)

    def _by_distinct(self, column: pa.Array) -> NDArray[np.int64]:
        coded = column.dictionary_encode()
        chosen = self.of_bytes([str(value).encode() for value in coded.dictionary.to_pylist()])
        known = coded.indices.is_valid().to_numpy(zero_copy_only=False)
        if not len(chosen):
            return np.full(len(column), NONE)
        return np.where(known, chosen[coded.indices.fill_null(0).to_numpy()], NONE)

    def _by_value(self, column: pa.Array) -> NDArray[np.int64]:
        owner: dict[str, int] = {}
        for number, values in enumerate(self._rules):
            for value in values:
                if owner.setdefault(str(value), number) != number:
                    raise ComponentError(f"splits: value {value!r} of column {self.column!r} is in two splits")
        coded = column.dictionary_encode()
        there = [_text(value) for value in coded.dictionary.to_pylist()]
        absent = sorted(set(owner) - set(there))
        if absent:
            raise ComponentError(
                f"splits: no row has {absent[0]!r} in column {self.column!r}; it has: {', '.join(sorted(there)[:12])}"
            )
        chosen = np.array([owner.get(value, NONE) for value in there] + [NONE])
        return chosen[coded.indices.fill_null(len(there)).to_numpy()]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def column_of(table: pa.Table, name: str, asked_by: str) -> pa.Array:
    """The column's single values, as one array. Raises: ComponentError where there is none."""
    if name not in table.column_names:
        raise ComponentError(f"{asked_by}: there is no column {name!r}; there are: {', '.join(table.column_names)}")
    column = table.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # an empty table, in some versions of Arrow
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
    return single_values(name, column)


def within(column: pa.Array, low: Any, high: Any, asked_by: str) -> NDArray[np.bool_]:
    """Rows with low <= value < high; None is no bound; nulls are never within.

    Raises: ComponentError where a bound cannot be compared with the column.
    """
    inside = column.is_valid()
    for bound, compare in ((low, pc.greater_equal), (high, pc.less)):
        if bound is not None:
            inside = pc.and_(inside, pc.fill_null(compare(column, _as(bound, column.type, asked_by)), False))
    return inside.to_numpy(zero_copy_only=False)


def _as(bound: Any, kind: pa.DataType, asked_by: str) -> pa.Scalar:
    try:
        if pa.types.is_timestamp(kind) and isinstance(bound, str):
            return pc.cast(pa.scalar(bound.removesuffix("Z")), pa.timestamp(kind.unit)).cast(kind)
        if pa.types.is_integer(kind) and isinstance(bound, float):
            return pa.scalar(bound)
        if isinstance(bound, str) and not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            return pc.cast(pa.scalar(bound), kind)
        return pa.scalar(bound, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError):
        raise ComponentError(f"{asked_by}: {bound!r} cannot be compared with a column of type {kind}") from None

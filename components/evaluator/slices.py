"""Which examples belong to which slice. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidegate.components.errors import ComponentError
from tidegate.components.evaluator.examples import groups
from tidegate.components.evaluator.requirements import ANY, Slice

MOST = 2000
"""Slices of one combination of features; more is a mistake (a slice on a real number or an identifier)."""


@dataclass(frozen=True, slots=True)
class Members:
    """One slice and its examples."""

    key: tuple[tuple[str, Any], ...]
    """TFMA's slice key; () is the overall slice."""
    rows: NDArray[np.int64]

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(feature for feature, _ in self.key)

    @property
    def label(self) -> str:
        return label(self.key)


def label(key: Iterable[tuple[str, Any]]) -> str:
    """`overall`, `origin=JFK`, `carrier=UA,origin=JFK`."""
    return ",".join(f"{feature}={value}" for feature, value in key) or "overall"


def find(table: Mapping[str, pa.Array], slices: Iterable[Slice], examples: int) -> list[Members]:
    """The overall slice, then every slice that occurs, each once, in the order of the specification and of the values.

    As in TFMA, an example that lacks one of the features is in none of its slices.
    Raises: ComponentError for a feature with too many values.
    """
    found = {(): Members((), np.arange(examples))}
    for spec in slices:
        numbers, values = groups([table[f] for f in spec.features])
        if len(values) > MOST and not spec.values:
            raise ComponentError(
                f"requirements.yaml line {spec.line}: {' x '.join(spec.features)} has {len(values)} different values; "
                "slice on features with few values, or name the values: {feature: value}"
            )
        order = np.argsort(numbers, kind="stable")
        bounds = np.searchsorted(numbers[order], np.arange(len(values) + 1))
        chosen = [i for i, v in enumerate(values) if matches(spec, v)]
        for i in sorted(chosen, key=lambda i: tuple(_sortable(v) for v in values[i])):
            key = tuple(zip(spec.features, values[i], strict=True))
            found.setdefault(key, Members(key, order[bounds[i] : bounds[i + 1]]))
    return list(found.values())


def matches(spec: Slice, values: tuple[Any, ...]) -> bool:
    """Does the slice with these values belong to the specification? (Compared as text: YAML's 5 is the data's b"5".)"""
    return not spec.values or all(w == ANY or str(w) == str(v) for w, v in zip(spec.values, values, strict=True))


def _sortable(value: Any) -> tuple[int, Any]:
    return (1, value) if isinstance(value, str) else (0, value)

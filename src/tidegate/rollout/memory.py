"""What each kind of requirement remembers of past windows: estimates to bet by, and totals to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

SHARE_HITS, SHARE_TOTAL = 100.0, 20_000.0
"""Estimates forget: at most so many hits, or requests, are remembered, so that they follow a rate that moves."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Rates as (hits, total): errors, slow answers, disagreement. `recent` to bet by, `whole` to show."""

    kind: ClassVar[str] = "shares"
    stable_recent: tuple[float, float] = (0.0, 0.0)
    canary_recent: tuple[float, float] = (0.0, 0.0)
    stable_whole: tuple[float, float] = (0.0, 0.0)
    canary_whole: tuple[float, float] = (0.0, 0.0)
    expected: float = 0.0
    """Bad requests that the new model would have had at the stable model's rate in the same windows: totals alone
    would mislead, because its share of requests grows while rates move (Simpson's paradox)."""
    bounds: tuple[float, ...] = ()
    """Of latencies: the buckets' bounds, in seconds."""
    stable_counts: tuple[float, ...] = ()
    """Recent answers of the stable model by bucket, from which the next window's bound is taken."""
    canary_counts: tuple[float, ...] = ()
    """All answers of the new model by bucket."""


@dataclass(frozen=True, slots=True)
class Means:
    """Rewards scaled to [0, 1] as (count, sum, sum of squares), and what their confidence sequences are made of."""

    kind: ClassVar[str] = "means"
    stable_recent: tuple[float, float, float] = (0.0, 0.0, 0.0)
    canary_recent: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stable_whole: tuple[float, float, float] = (0.0, 0.0, 0.0)
    canary_whole: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stable_sequence: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Sums of lambda x, of lambda, of the variance's price: see `intervals.mean`."""
    canary_sequence: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Distributions:
    """Shares of bins or categories."""

    kind: ClassVar[str] = "distributions"
    bounds: tuple[float, ...] = ()
    """Of numeric outputs: the bins' bounds."""
    stable: Mapping[str, float] = field(default_factory=dict)
    canary: Mapping[str, float] = field(default_factory=dict)
    wealth: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    """By bin: against `moved by no more than the bound`, `up by more`, `down by more`."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Of a query: how many in a row kept the bound, how many broke it, and the last."""

    kind: ClassVar[str] = "readings"
    kept: int = 0
    broken: int = 0
    value: float | None = None
    stable: float | None = None


Memory = Shares | Means | Distributions | Readings
MEMORIES: dict[str, type[Shares] | type[Means] | type[Distributions] | type[Readings]] = {
    each.kind: each for each in (Shares, Means, Distributions, Readings)
}


def remembered(recent: tuple[float, float], hits: float, total: float) -> tuple[float, float]:
    """`recent` (hits, total) with a further window, the past shrunk where it is more than is remembered."""
    hits, total = recent[0] + hits, recent[1] + total
    over = max(hits / SHARE_HITS, total / SHARE_TOTAL)
    return (hits / over, total / over) if over > 1 else (hits, total)

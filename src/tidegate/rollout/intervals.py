"""Confidence sequences: intervals that hold at all times at once, to be shown beside the verdicts.

They are for eyes. What decides are the e-processes of `betting`, which need no constant rates.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, lgamma, log

LEVEL = 0.05
"""How often an interval may ever miss what it is of."""
Pair = tuple[float, float]


def rate(hits: float, total: float, level: float = LEVEL) -> Pair:
    """Of a constant rate, from `hits` of `total`: the rates that a Beta(1/2, 1/2) mixture's likelihood ratio has not
    refuted (Robbins, Annals of Mathematical Statistics 1970; Howard, Ramdas, McAuliffe & Sekhon, Time-uniform,
    nonparametric, nonasymptotic confidence sequences, Annals of Statistics 2021, section 3).
    """
    if total <= 0:
        return 0.0, 1.0
    mixture = _beta(hits + 0.5, total - hits + 0.5) - _beta(0.5, 0.5) - log(1 / level)
    middle = hits / total

    def inside(p: float) -> bool:
        return mixture <= _times(hits, p) + _times(total - hits, 1 - p)

    return _edge(middle, 0.0, inside), _edge(middle, 1.0, inside)


def difference(stable: Pair, canary: Pair, level: float = LEVEL) -> Pair:
    """Of canary's rate less stable's, from (hits, total) of each: both intervals at half the level."""
    (low_s, high_s), (low_c, high_c) = rate(*stable, level / 2), rate(*canary, level / 2)
    return low_c - high_s, high_c - low_s


def mean(sequence: tuple[float, float, float], level: float = LEVEL) -> Pair:
    """Of a mean in [0, 1], from the sums of stake x value, of stakes, of the variance's price (`means`): predictable
    plug-in empirical Bernstein (Waudby-Smith & Ramdas, JRSS-B 2024, theorem 2).
    """
    weighted, stakes, price = sequence
    if stakes <= 0:
        return 0.0, 1.0
    middle, half = weighted / stakes, (log(2 / level) + price) / stakes
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _edge(inner: float, outer: float, inside: Callable[[float], bool]) -> float:
    """Between a rate inside and one outside, where the interval ends."""
    if inside(outer):
        return outer
    for _ in range(50):
        half = (inner + outer) / 2
        if inside(half):
            inner = half
        else:
            outer = half
    return inner


def _beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _times(count: float, p: float) -> float:
    """count x log p, where nothing times the logarithm of 0 is 0."""
    return 0.0 if count <= 0 else count * log(p) if p > 0 else -inf

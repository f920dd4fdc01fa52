"""Models as they really are, and the traffic they get."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import erf, exp, log, sqrt
from statistics import NormalDist

SPREAD = 0.6
"""Standard deviation of a latency's logarithm where one quantile alone is given: p99 is four times the median."""
BUCKETS = tuple(round(0.001 * 1.3**step, 7) for step in range(34))
"""Upper bounds of latency buckets, in seconds: 1 ms to about 6 s."""


_QUANTILE = re.compile(r"p\d+$")


class TruthError(ValueError):
    """Rates that cannot be read; the message says what is known."""


@dataclass(frozen=True, slots=True)
class Truth:
    """One model. Shares in [0, 1]; latencies are lognormal."""

    error: float = 0.0
    median: float = 0.02
    """Seconds."""
    spread: float = SPREAD
    """Of the logarithm."""
    reward: float = 0.5
    """Mean, in the reward's own units; single rewards are its least or its most."""
    agreement: float = 1.0
    """Share of mirrored answers that agree with stable's."""
    drift: float = 0.0
    """How far the largest share of its answers' categories is from stable's."""
    query: float = 0.0
    """What PromQL requirements read."""
    silent: bool = False
    """No figure of it is ever seen."""
    dies: bool = False
    """It cannot serve at all, and the place that serves says so."""
    weight: int = 0
    """From this weight on it is as `then` says."""
    then: Truth | None = None

    def at(self, weight: int) -> Truth:
        """As it is while it gets `weight` per cent of requests."""
        return self.then.at(weight) if self.then is not None and weight >= self.weight else self


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests in a second, and how they and the error rates of both models move."""

    rate: float = 100.0
    interval: float = 5.0
    """Seconds between two looks."""
    burst: float = 1.0
    """Requests come this many times as often in one look of ten, and accordingly less in the others."""
    swing: float = 0.0
    """Up to how much is added to both models' error rates, rising and falling."""
    period: float = 600.0
    """Seconds of one rise and fall."""


def truth(text: str) -> Truth:
    """`error=0.01,p50=0.02,p99=0.08,error@50=0.5`: rates, and (@) from which weight on they are others.

    Raises: TruthError.
    """
    given: dict[int, dict[str, float]] = {0: {}}
    for part in filter(None, (part.strip() for part in text.split(","))):
        said, _, value = part.partition("=")
        name, _, weight = said.strip().partition("@")
        try:
            given.setdefault(int(weight or 0), {})[name] = float(value or 1)
        except ValueError:
            raise TruthError(f"expected NAME=NUMBER or NAME@WEIGHT=NUMBER, found {part!r}") from None
    weights = sorted(given)
    rates = [{name: value for at in weights[: n + 1] for name, value in given[at].items()} for n in range(len(weights))]
    made = _made(rates[-1])
    for at in range(len(weights) - 2, -1, -1):
        made = replace(_made(rates[at]), weight=weights[at + 1], then=made)
    return made


def _made(values: dict[str, float]) -> Truth:
    quantiles = {float(f"0.{name[1:]}"): value for name, value in values.items() if _QUANTILE.match(name)}
    plain = {name: value for name, value in values.items() if not _QUANTILE.match(name)}
    known = ("error", "reward", "agreement", "drift", "query", "silent", "dies")
    if unknown := sorted(plain.keys() - set(known)):
        raise TruthError(f"unknown {', '.join(unknown)}; known are {', '.join(known)}, and p50, p99, p999 in seconds")
    for name in ("error", "agreement", "drift"):
        if not 0 <= plain.get(name, 0) <= 1:
            raise TruthError(f"{name} is a share from 0 to 1, found {plain[name]:g}")
    median, spread = _lognormal(quantiles)
    flags = {name: bool(plain.pop(name)) for name in ("silent", "dies") if name in plain}
    return Truth(median=median, spread=spread, **plain, **flags)  # type: ignore[arg-type]


def _lognormal(quantiles: dict[float, float]) -> tuple[float, float]:
    """Median and spread with these quantiles: the lowest and the highest decide."""
    if not quantiles:
        return Truth().median, SPREAD
    if min(quantiles) <= 0 or min(quantiles.values()) <= 0:
        raise TruthError("quantiles are p1 to p999..., and latencies are above 0 seconds")
    normal = NormalDist()
    low, high = min(quantiles), max(quantiles)
    if low == high:
        return quantiles[low] / exp(SPREAD * normal.inv_cdf(low)), SPREAD
    spread = (log(quantiles[high]) - log(quantiles[low])) / (normal.inv_cdf(high) - normal.inv_cdf(low))
    if spread <= 0:
        raise TruthError("a higher quantile must be slower than a lower one")
    return quantiles[low] / exp(spread * normal.inv_cdf(low)), spread


def bucket_shares(median: float, spread: float) -> tuple[float, ...]:
    """Share of answers in each of `BUCKETS`, and above."""
    below = [0.5 * (1 + erf((log(bound) - log(median)) / (spread * sqrt(2)))) for bound in BUCKETS]
    return tuple(b - a for a, b in zip([0.0, *below], [*below, 1.0], strict=True))

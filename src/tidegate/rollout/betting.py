"""E-processes: bets whose wealth cannot be expected to grow while the hypothesis they are made against holds.

An e-variable has expectation at most 1 under its null hypothesis, given the past; a product of them, one a window, is a
test supermartingale, and by Ville's inequality it ever exceeds 1/a with probability at most a: however often it is
looked at, and whenever one stops (Ramdas, Grunwald, Vovk, Shafer: Game-theoretic statistics and safe anytime-valid
inference, Statistical Science 2023, section 3). The alternatives that are bet on may use all of the past; they decide
how fast the wealth grows, never whether the bound holds.

Of n independent answers with rates p_1..p_n, only their mean p matters here: a bet multiplies wealth by c + d p_i in
expectation, and the product of c + d p_i is at most (c + d p)^n (means of logarithms). So a window's requests need not
be equally likely to fail, and nothing is assumed of how rates or shares of traffic change between windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

TINY, MOST = 1e-9, 1 - 1e-9
"""Rates are kept between, so that logarithms are finite."""
Pair = tuple[float, float]
LARGEST = 1e30
"""Wealth is cut here: far beyond any bound."""
SHARED = 0.005
"""Share of the wealth that is dealt out anew after each window."""


def bet(wealth: Sequence[float], start: Sequence[float], growth: Sequence[float]) -> tuple[float, ...]:
    """Wealth on each alternative after a window in which they grew by exp(`growth`).

    The sum is multiplied by a mean of e-variables with weights known before, so it stays a test supermartingale. Some
    of it is dealt out anew as at the `start` (fixed share: Herbster & Warmuth, Tracking the best expert, Machine
    Learning 1998), so that a model that was good for long and then breaks is noticed almost as soon as one that always
    was bad.
    """
    grown = [w * exp(g if g < 60 else 60.0) for w, g in zip(wealth, growth, strict=True)]
    total = sum(grown)
    if total > LARGEST:
        grown, total = [g * (LARGEST / total) for g in grown], LARGEST
    return tuple([(1 - SHARED) * g + SHARED * total * s for g, s in zip(grown, start, strict=True)])


def one_sample(hits: float, total: float, alternative: float, bound: float) -> float:
    """Log of the likelihood ratio of rate `alternative` to rate `bound` in a window.

    An e-variable against `rate <= bound` where `alternative` > `bound`, and against `rate >= bound` where it is less:
    the ratio is monotone in the hits, so its expectation is 1 at the bound and less inside the null hypothesis.
    """
    a, b = _inside(alternative), _inside(bound)
    return hits * log(a / b) + (total - hits) * log((1 - a) / (1 - b))


def two_sample(stable: Pair, canary: Pair, alternative: Pair, margin: float, above: bool) -> float:
    """Log of an e-variable of a window's (hits, total) of both, for rates `alternative` (stable's, canary's).

    The null hypothesis: canary - stable <= `margin` where not `above`, >= `margin` where `above`. The alternative's
    likelihood is divided by that of the null's point nearest to it in Kullback-Leibler divergence, weighted by the
    totals: an e-variable for convex null hypotheses (Turner, Ly & Grunwald, Generic E-variables for exact sequential
    k-sample tests that allow for optional stopping, JSPI 2024, theorem 1; Turner & Grunwald, Exact anytime-valid
    confidence intervals for contingency tables and beyond, Statistics & Probability Letters 2023, theorem 1). It holds
    whatever the common rate is in this window. An alternative inside the null hypothesis is no bet: 0.
    """
    a, b = alternative
    a = TINY if a < TINY else MOST if a > MOST else a
    b = TINY if b < TINY else MOST if b > MOST else b
    (h_a, n_a), (h_b, n_b) = stable, canary
    if ((b - a >= margin) if above else (b - a <= margin)) or n_a <= 0 or n_b <= 0:
        return 0.0
    x = (n_a * a + n_b * b) / (n_a + n_b) if margin == 0 else nearest(a, b, n_a, n_b, margin)
    y = x + margin
    x = TINY if x < TINY else MOST if x > MOST else x
    y = TINY if y < TINY else MOST if y > MOST else y
    of_stable = h_a * log(a / x) + (n_a - h_a) * log((1 - a) / (1 - x))
    return of_stable + h_b * log(b / y) + (n_b - h_b) * log((1 - b) / (1 - y))


def nearest(a: float, b: float, n_a: float, n_b: float, margin: float) -> float:
    """The x that minimises n_a KL(a | x) + n_b KL(b | x + margin): the null hypothesis' nearest point on its edge.

    The sum is convex; its derivative times x (1 - x) y (1 - y), y = x + margin, is the cubic of Farrington & Manning
    (Statistics in Medicine 1990). Newton's method in a bracket finds its only root between a and b - margin.
    """
    least, most = max(0.0, -margin) + TINY / 2, min(1.0, 1.0 - margin) - TINY / 2
    shifted = b - margin
    low, high = (a, shifted) if a < shifted else (shifted, a)
    low, high = min(max(low, least), most), max(min(high, most), least)
    total, gap = n_a + n_b, margin * (1 - margin)
    w_a, w_b = n_a / total, n_b / total
    c2 = w_a * (1 - 2 * margin + a) + w_b * (1 + shifted)
    c1 = w_a * (gap - a * (1 - 2 * margin)) - w_b * shifted
    c0 = -w_a * a * gap
    x = w_a * a + w_b * shifted
    for _ in range(60):
        if not low < x < high:
            x = (low + high) / 2
        value = ((c2 - x) * x + c1) * x + c0
        if value > 0:
            high = x
        else:
            low = x
        slope = (2 * c2 - 3 * x) * x + c1
        step = value / slope if slope else high - low
        x -= step
        if -1e-12 < step < 1e-12 or high - low < 1e-12:
            break
    return low if x < low else high if x > high else x


def odds(rate: float, factor: float) -> float:
    """The rate whose odds are `factor` times those of `rate`."""
    up = rate * factor
    return up / (1 - rate + up)


def _inside(rate: float) -> float:
    return TINY if rate < TINY else MOST if rate > MOST else rate

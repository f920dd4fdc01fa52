"""Requirements on the mean of a bounded reward, of which a window tells count, sum and sum of squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log, sqrt

from tidegate.rollout.betting import bet
from tidegate.rollout.memory import Means
from tidegate.rollout.observation import Moments, Value
from tidegate.rollout.rules import Rule
from tidegate.rollout.windows import Window

START = (0.2, 0.2, 0.2, 0.2, 0.2)
"""Cash, three fixed stakes, the stake that was best of late."""
STAKES = (0.05, 0.2, 0.5)
LARGEST_STAKE = 0.5
RECENT = 20_000.0
"""Rewards that are remembered."""
Sums = tuple[float, float, float]
"""(count, sum, sum of squares), scaled to [0, 1]."""


def weighed(
    rule: Rule, memory: Means, back: Sequence[float], forward: Sequence[float], window: Window, wide: float
) -> tuple[Means, tuple[float, ...], tuple[float, ...], float]:
    """Memory and wealths after a window, and how many of the new model's rewards were evidence.

    exp(l sum(x - m) - (-log(1 - l) - l) sum (x - m^)^2) is an e-variable against `mean <= m` for x in [0, 1], a stake
    l in [0, 1) and a guess m^ that are known before: the predictable plug-in empirical Bernstein process of
    Waudby-Smith & Ramdas, Estimating means of bounded random variables by betting, JRSS-B 2024, theorem 2; for
    `mean >= m` with 1 - x. Stake and guess stay the same within a window, so its sums are all that is needed.

    Versus stable both are multiplied, with stakes such that count x stake is the same for both: then the two means
    enter only by their difference, and the common level, whatever it was in this window, cancels.
    """
    stable, canary = scaled(rule, window.stable), scaled(rule, window.canary)
    after = _kept(memory, stable, canary)
    if canary[0] <= 0 or (rule.relative and stable[0] <= 0):
        return after, tuple(back), tuple(forward), 0.0
    bound = rule.widened(wide)
    if rule.relative:
        fall, rise = _versus_stable(memory, stable, canary, 0.0), _versus_stable(memory, stable, canary, bound, True)
    else:
        fall = _absolute(memory, canary, rule.bound, -rule.sign)
        rise = _absolute(memory, canary, bound, rule.sign)
    return after, bet(back, START, fall), bet(forward, START, rise), canary[0]


def scaled(rule: Rule, value: Value | None) -> Sums:
    """A window's sums with the reward's range as [0, 1]; nothing where they cannot be sums of such values."""
    if not isinstance(value, Moments) or value.count <= 0:
        return 0.0, 0.0, 0.0
    n, low, wide = value.count, rule.low, rule.high - rule.low
    total = (value.total - n * low) / wide
    squares = (value.squares - 2 * low * value.total + n * low * low) / (wide * wide)
    slack = 1e-6 * (1 + n)
    if not (-slack <= total <= n + slack and total * total / n - slack <= squares <= total + slack):
        return 0.0, 0.0, 0.0  # a value outside the range: the bounds would not hold
    return n, total, squares


def _absolute(memory: Means, canary: Sums, bound: float, up: int) -> list[float]:
    """Growth of bets that the mean is above (`up` 1) or below (-1) the bound."""
    n, total, squares = canary
    guess, variance = estimate(memory.canary_recent)
    spread = max(squares - 2 * guess * total + n * guess * guess, 0.0)
    gap = up * (guess - bound)
    best = min(LARGEST_STAKE, max(gap, 0.0) / variance)
    return [0.0] + [stake * up * (total - n * bound) - price(stake) * spread for stake in (*STAKES, best)]


def _versus_stable(memory: Means, stable: Sums, canary: Sums, margin: float, up: bool = False) -> list[float]:
    """Growth of bets that the new model's mean is below stable's or, `up`, less than `margin` below."""
    (n_s, t_s, q_s), (n_c, t_c, q_c) = stable, canary
    (g_s, v_s), (g_c, v_c) = estimate(memory.stable_recent), estimate(memory.canary_recent)
    spread_s, spread_c = (
        max(q_s - 2 * g_s * t_s + n_s * g_s**2, 0.0),
        max(q_c - 2 * g_c * t_c + n_c * g_c**2, 0.0),
    )
    fewest = min(n_s, n_c)
    seen, expected = t_c / n_c - t_s / n_s + margin, g_c - g_s + margin
    sign = 1 if up else -1
    best = min(LARGEST_STAKE, max(sign * expected, 0.0) / (v_s / n_s + v_c / n_c) / fewest)
    growth = [0.0]
    for stake in (*STAKES, best):
        both = stake * fewest
        growth.append(sign * both * seen - price(both / n_s) * spread_s - price(both / n_c) * spread_c)
    return growth


def price(stake: float) -> float:
    """What a stake costs for each unit of squared deviation."""
    return -log(1 - stake) - stake


def estimate(recent: Sums) -> tuple[float, float]:
    """Mean and variance, drawn towards those of one value in the middle; the variance is never 0."""
    n, total, squares = recent
    mean = (total + 0.5) / (n + 1)
    return mean, max((squares + 0.5) / (n + 1) - mean * mean, 1e-4)


def _kept(memory: Means, stable: Sums, canary: Sums) -> Means:
    return replace(
        memory,
        stable_recent=_recent(memory.stable_recent, stable),
        canary_recent=_recent(memory.canary_recent, canary),
        stable_whole=_plus(memory.stable_whole, stable),
        canary_whole=_plus(memory.canary_whole, canary),
        stable_sequence=_sequence(memory.stable_recent, memory.stable_sequence, stable),
        canary_sequence=_sequence(memory.canary_recent, memory.canary_sequence, canary),
    )


def _plus(one: Sums, other: Sums) -> Sums:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _recent(recent: Sums, window: Sums) -> Sums:
    n, total, squares = _plus(recent, window)
    over = n / RECENT
    return (n / over, total / over, squares / over) if over > 1 else (n, total, squares)


def _sequence(recent: Sums, sequence: Sums, window: Sums) -> Sums:
    """Adds a window to a confidence sequence's sums: of stake x value, of stake, of the variance's price."""
    n, total, squares = window
    if n <= 0:
        return sequence
    guess, variance = estimate(recent)
    seen = recent[0] + n
    stake = min(LARGEST_STAKE, sqrt(2 * log(2 / 0.05) / (variance * seen * log(1 + seen))))
    spread = max(squares - 2 * guess * total + n * guess * guess, 0.0)
    return sequence[0] + stake * total, sequence[1] + stake * n, sequence[2] + price(stake) * spread

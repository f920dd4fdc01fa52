"""Traffic that follows rewards. Without chance: probabilities of being best are computed, not drawn."""

from __future__ import annotations

from collections.abc import Sequence
from math import erf, exp, lgamma, log, sqrt

from tidegate.rollout.memory import Means
from tidegate.rollout.plan import Bandit

POINTS = 400
"""Of the quadrature."""


def weight(plan: Bandit, memory: Means) -> int:
    """The new model's share of requests, per cent: where rewards are late or missing, those that came decide."""
    stable, canary = memory.stable_recent, memory.canary_recent
    if plan.policy == "epsilonGreedy":
        exploring = 50 * plan.epsilon
        better = _mean(canary) > _mean(stable)
        return clipped(100 - exploring if better else exploring, plan)
    return clipped(100 * best(stable, canary), plan)


def best(stable: Sequence[float], canary: Sequence[float]) -> float:
    """P(the new model's mean reward is larger) under the posterior, given (count, sum, sum of squares) in [0, 1].

    The share of requests that Thompson sampling gives on average (Thompson, Biometrika 1933). Rewards of 0 and 1 have
    Beta(1 + s, 1 + n - s) posteriors; others normal ones with a prior of one value in the middle.
    """
    if all(abs(each[1] - each[2]) < 1e-9 * (1 + each[0]) for each in (stable, canary)):
        return _beta_best(stable, canary)
    (m_s, v_s), (m_c, v_c) = _normal(stable), _normal(canary)
    return 0.5 * (1 + erf((m_c - m_s) / sqrt(2 * (v_s + v_c))))


def clipped(percent: float, plan: Bandit) -> int:
    """Between the floor and what leaves the floor to the other."""
    return round(min(max(percent, plan.floor), 100 - plan.floor))


def _beta_best(stable: Sequence[float], canary: Sequence[float]) -> float:
    """P(canary > stable) by the trapezoid rule over where either posterior has its mass."""
    (a_s, b_s), (a_c, b_c) = ((1 + max(s, 0.0), 1 + max(n - s, 0.0)) for n, s, _ in (stable, canary))
    low, high = 1.0, 0.0
    for a, b in ((a_s, b_s), (a_c, b_c)):
        mean = a / (a + b)
        reach = 8 * sqrt(mean * (1 - mean) / (a + b + 1))
        low, high = min(low, max(mean - reach, 0.0)), max(high, min(mean + reach, 1.0))
    step = (high - low) / POINTS
    below = above = whole_s = whole_c = 0.0
    for at in range(POINTS):
        x = low + (at + 0.5) * step
        s, c = _beta(x, a_s, b_s), _beta(x, a_c, b_c)
        above += c * (below + 0.5 * s)
        below += s
        whole_s, whole_c = whole_s + s, whole_c + c
    return above / (whole_s * whole_c) if whole_s > 0 and whole_c > 0 else 0.5


def _beta(x: float, a: float, b: float) -> float:
    return exp((a - 1) * log(x) + (b - 1) * log(1 - x) + lgamma(a + b) - lgamma(a) - lgamma(b))


def _mean(sums: Sequence[float]) -> float:
    return (sums[1] + 0.5) / (sums[0] + 1)


def _normal(sums: Sequence[float]) -> tuple[float, float]:
    n, _, squares = sums
    mean = _mean(sums)
    variance = max((squares + 0.5) / (n + 1) - mean * mean, 1e-6)
    return mean, variance / (n + 1)

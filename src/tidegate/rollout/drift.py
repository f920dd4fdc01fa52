"""How far the new model's answers are distributed from the stable model's: the largest difference over all bins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import exp

from tidegate.rollout.betting import LARGEST, two_sample
from tidegate.rollout.memory import Distributions
from tidegate.rollout.observation import Categories, Histogram, Value
from tidegate.rollout.rules import Rule
from tidegate.rollout.windows import Window, size

MOST_BINS = 64
OTHERS = "(others)"
RECENT = 4_000.0
"""Answers that are remembered of each model: enough for a share to a percent, few enough to see it move."""
Counts = Mapping[str, float]
Pair = tuple[float, float]


def weighed(
    rule: Rule, memory: Distributions, window: Window, wide: float
) -> tuple[Distributions, tuple[float, ...], tuple[float, ...], float]:
    """Memory and e-values after a window, and how many of the new model's answers were evidence.

    Each bin is a two-sample test of its share (`betting.two_sample`). Back: the mean of all bins' e-values against
    `its share differs by no more than the bound`, bins not yet seen counting 1: an e-value against `no bin moved by
    more`. Forward: the least of all bins' and both directions' against `moved by the bound or more`, because all must
    be refuted (intersection-union).
    """
    bounds = next((v.bounds for v in (window.stable, window.canary) if isinstance(v, Histogram)), memory.bounds)
    if bounds != memory.bounds:
        memory = Distributions(bounds=bounds)
    stable, canary = _named(window.stable, memory), _named(window.canary, memory)
    n_s, n_c = sum(stable.values()), sum(canary.values())
    names = list(dict.fromkeys((*memory.stable, *memory.canary, *stable, *canary)))
    wealth = {name: memory.wealth.get(name, (1.0, 1.0, 1.0)) for name in names}
    seen = 0.0
    if n_s > 0 and n_c > 0 and memory.stable and memory.canary:
        limit = min(rule.widened(wide), 1.0)
        before_s, before_c = sum(memory.stable.values()) + 1, sum(memory.canary.values()) + 1
        for name in names:
            pair = (stable.get(name, 0.0), n_s), (canary.get(name, 0.0), n_c)
            guess = (memory.stable.get(name, 0.0) + 0.5) / before_s, (memory.canary.get(name, 0.0) + 0.5) / before_c
            wealth[name] = _bin(guess, pair, wealth[name], rule.bound, limit)
        seen = n_c
    after = replace(memory, wealth=wealth, stable=_recent(memory.stable, stable), canary=_recent(memory.canary, canary))
    back = sum(each[0] for each in wealth.values()) / MOST_BINS + 1 - len(wealth) / MOST_BINS
    forward = min((min(each[1], each[2]) for each in wealth.values()), default=1.0)
    return after, (back,), (forward,), seen


def started_again(memory: Distributions) -> Distributions:
    """For a new step: what lets it go on begins anew."""
    return replace(memory, wealth={name: (within, 1.0, 1.0) for name, (within, _, _) in memory.wealth.items()})


def largest(memory: Distributions) -> tuple[str, float, float, float]:
    """The bin that moved most, its shares of stable and of the new model, and how far it moved."""
    n_s, n_c = sum(memory.stable.values()), sum(memory.canary.values())
    if n_s <= 0 or n_c <= 0:
        return "", 0.0, 0.0, 0.0
    names = dict.fromkeys((*memory.stable, *memory.canary))
    shares = [(name, memory.stable.get(name, 0.0) / n_s, memory.canary.get(name, 0.0) / n_c) for name in names]
    name, one, other = max(shares, key=lambda each: abs(each[2] - each[1]))
    return name, one, other, abs(other - one)


def named(memory: Distributions, name: str) -> str:
    """A bin as people read it: a category by its name, a numeric bin by its bounds."""
    if not memory.bounds or not name.isdigit() or len(memory.bounds) >= MOST_BINS:
        return name
    at, bounds = int(name), memory.bounds
    low = f"{bounds[at - 1]:g}" if at > 0 else "-inf"
    return f"({low}, {bounds[at]:g}]" if at < len(bounds) else f"(above {bounds[-1]:g})"


def _bin(
    guess: Pair, pair: tuple[Pair, Pair], wealth: tuple[float, float, float], bound: float, limit: float
) -> tuple[float, float, float]:
    stable, canary = pair
    a, b = guess
    within = (
        two_sample(stable, canary, (a, b), bound, False) if b > a else two_sample(canary, stable, (b, a), bound, False)
    )
    up = two_sample(stable, canary, (a, a), limit, True) if limit < 1 else 60.0
    down = two_sample(canary, stable, (a, a), limit, True) if limit < 1 else 60.0
    w, u, d = (min(was * exp(min(grows, 60.0)), LARGEST) for was, grows in zip(wealth, (within, up, down), strict=True))
    return w, u, d


def _named(value: Value | None, memory: Distributions) -> dict[str, float]:
    """Counts by bin; numeric bins by number, categories beyond what is kept together as others."""
    if isinstance(value, Histogram) and value.bounds == memory.bounds:
        return _binned(value) if size(value) > 0 else {}
    if not isinstance(value, Categories):
        return {}
    known = {**memory.stable, **memory.canary}
    room = MOST_BINS - 1 - len(known.keys() - {OTHERS})
    counts: dict[str, float] = {}
    for name, count in sorted(value.counts.items()):
        if name not in known and count > 0:
            room -= 1
        place = name if name in known or room >= 0 else OTHERS
        if count > 0:
            counts[place] = counts.get(place, 0.0) + count
    return counts


def _binned(value: Histogram) -> dict[str, float]:
    """Counts by number of the bin; of more bins than are kept, neighbours together."""
    most = max(len(value.counts), MOST_BINS)
    counts: dict[str, float] = {}
    for at, count in enumerate(value.counts):
        name = str(at * MOST_BINS // most if most > MOST_BINS else at)
        counts[name] = counts.get(name, 0.0) + count
    return counts


def _recent(before: Counts, window: Counts) -> dict[str, float]:
    summed = {name: before.get(name, 0.0) + window.get(name, 0.0) for name in (*before, *window)}
    over = sum(summed.values()) / RECENT
    return {name: each / over for name, each in summed.items()} if over > 1 else summed

"""Requirements that are shares of bad requests: errors, slow answers, answers that disagree."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from operator import add
from typing import NamedTuple

from tidegate.rollout.betting import bet, odds, one_sample, two_sample
from tidegate.rollout.memory import Shares, remembered
from tidegate.rollout.observation import Histogram, Tally, Value
from tidegate.rollout.rules import Rule
from tidegate.rollout.windows import Window

BACK = (0.2, 0.2, 0.2, 0.2, 0.2)
"""Cash, three fixed alternatives, what was seen of late."""
FORWARD = (0.1, 0.3, 0.2, 0.4)
WORSE_THAN_STABLE = (2.0, 5.0, 20.0)
WORSE_THAN_BOUND = (1.5, 4.0, 20.0)
BETTER_THAN_BOUND = (0.5, 0.1)
"""Factors of the odds."""
EMPTY = 60.0
"""Growth against a hypothesis that no rate fulfils: any answer refutes it."""
_LEAST = 1e-4
NEAR = 1e-6
"""Bounds that differ by less, relatively, are the same: 1.5 times a bucket's bound may be another's."""
Hits = tuple[float, float]
"""(hits, total)"""


class Counts(NamedTuple):
    """A window, read in favour of the null hypothesis: bad requests for sure (back), and possibly (forward)."""

    stable: Hits
    surely: Hits
    possibly: Hits


def weighed(
    rule: Rule, memory: Shares, back: Sequence[float], forward: Sequence[float], window: Window, wide: float
) -> tuple[Shares, tuple[float, ...], tuple[float, ...], float]:
    """Memory and wealths after a window, and how many of the new model's requests were evidence.

    Latencies versus stable: x is the bucket bound next above stable's own quantile in earlier windows. It rolls back
    where the new model's share slower than x is larger than stable's; it goes on where its share slower than
    (1 + margin) x is smaller than stable's share slower than x. A bound inside a bucket counts the bucket as fast for a
    rollback and as slow for a promotion: never in favour of a verdict.
    """
    counts = _counts(rule, memory, window)
    after = _kept(rule, memory, window, counts)
    if counts is None or counts.surely[1] <= 0 or (rule.relative and counts.stable[1] <= 0):
        return after, tuple(back), tuple(forward), 0.0
    bound = rule.widened(wide)
    if rule.relative:
        grow = _versus_stable(memory, counts, bound)
    else:
        grow = _absolute(memory, counts, rule.bound, min(bound, 1.0))
    return after, bet(back, BACK, grow[0]), bet(forward, FORWARD, grow[1]), counts.surely[1]


def _versus_stable(memory: Shares, counts: Counts, margin: float) -> tuple[list[float], list[float]]:
    hits, total = memory.stable_recent
    if total <= 0:
        return [0.0] * len(BACK), [0.0] * len(FORWARD)
    stable = (hits + 0.5) / (total + 1)
    bad, seen = memory.canary_recent
    guess = (bad + 0.5) / (seen + 1) if seen > 0 else 0.0
    alternatives = [odds(stable, factor) for factor in WORSE_THAN_STABLE] + [guess]
    back = [0.0] + [two_sample(counts.stable, counts.surely, (stable, b), 0.0, False) for b in alternatives]
    prior = 2 / stable
    likely = (bad + prior * stable) / (seen + prior)
    forward = [0.0]
    if margin < 1:
        pair = counts.stable, counts.possibly
        forward += [two_sample(*pair, (stable, b), margin, True) for b in (stable, odds(stable, 0.5), likely)]
    else:
        forward += [EMPTY] * 3
    return back, forward


def _absolute(memory: Shares, counts: Counts, bound: float, lax: float) -> tuple[list[float], list[float]]:
    bad, seen = memory.canary_recent
    guess = (bad + 0.5) / (seen + 1) if seen > 0 else bound
    base = max(bound, _LEAST)
    worse = [*(odds(base, factor) for factor in WORSE_THAN_BOUND), guess]
    back = [0.0] + [one_sample(*counts.surely, b, bound) if b > bound else 0.0 for b in worse]
    better = [*(odds(lax, factor) for factor in BETTER_THAN_BOUND), guess]
    if lax >= 1:
        return back, [0.0] + [EMPTY] * 3
    return back, [0.0] + [one_sample(*counts.possibly, b, lax) if b < lax else 0.0 for b in better]


def _counts(rule: Rule, memory: Shares, window: Window) -> Counts | None:
    """The window as counts of bad requests; None where it tells nothing."""
    if rule.kind != "latency":
        stable, canary = _bad(rule, window.stable), _bad(rule, window.canary)
        return Counts(stable, canary, canary)
    if not rule.relative:
        if not isinstance(window.canary, Histogram):
            return None
        surely, possibly, total = slower(window.canary, rule.seconds)
        return Counts((0.0, 0.0), (surely, total), (possibly, total))
    at = quantile_bound(memory.bounds, memory.stable_counts, rule.quantile)
    if at is None:
        return None
    slow, _, whole = slower(_of(window.stable, memory.bounds), at)
    mine = _of(window.canary, memory.bounds)
    surely, _, total = slower(mine, at)
    _, possibly, _ = slower(mine, (1 + rule.slower) * at)
    return Counts((slow, whole), (surely, total), (possibly, total))


def _of(value: Value | None, bounds: tuple[float, ...]) -> Histogram:
    """The histogram, or an empty one where it is none of these buckets."""
    if isinstance(value, Histogram) and value.bounds == bounds:
        return value
    return Histogram(bounds, (0.0,) * (len(bounds) + 1))


def _bad(rule: Rule, value: Value | None) -> Hits:
    if not isinstance(value, Tally):
        return 0.0, 0.0
    return (value.total - value.hits if rule.kind == "agreement" else value.hits), value.total


def slower(histogram: Histogram, seconds: float) -> tuple[float, float, float]:
    """Answers surely slower than `seconds`, possibly slower, and all: a bound inside a bucket leaves that one open."""
    at = bisect_left(histogram.bounds, seconds * (1 - NEAR))
    exact = at < len(histogram.bounds) and histogram.bounds[at] <= seconds * (1 + NEAR)
    surely = sum(histogram.counts[at + 1 :])
    return surely, surely if exact else surely + histogram.counts[at], sum(histogram.counts)


def blur(rule: Rule, memory: Shares) -> str:
    """Why a latency cannot be shown to hold with these buckets, however long one waits; empty: it can.

    Versus stable there has to be a bucket's bound above x and up to (1 + margin) x; else what is slower than one cannot
    be told from what is slower than the other.
    """
    if rule.kind != "latency" or not rule.relative or not sum(memory.stable_counts):
        return ""
    at = quantile_bound(memory.bounds, memory.stable_counts, rule.quantile)
    if at is None:
        return f"stable's quantile is above the last bucket, {1000 * memory.bounds[-1]:g} ms: add buckets"
    most = (1 + rule.slower) * at
    if any(at < bound <= most * (1 + NEAR) for bound in memory.bounds):
        return ""
    return f"no bucket's bound is between {1000 * at:g} and {1000 * most:g} ms: use finer buckets, or a larger margin"


def quantile_bound(bounds: Sequence[float], counts: Sequence[float], quantile: float) -> float | None:
    """The upper bound of the bucket that has the quantile; None where that is the last, or nothing was counted."""
    rest = quantile * sum(counts)
    if rest <= 0:
        return None
    for bound, count in zip(bounds, counts, strict=False):
        rest -= count
        if rest <= 0:
            return bound
    return None


def _kept(rule: Rule, memory: Shares, window: Window, counts: Counts | None) -> Shares:
    """What is remembered of a window, whether it was evidence or not."""
    after = memory
    if rule.kind == "latency":
        after = _kept_buckets(after, window)
    if counts is None:
        return after
    (h_s, n_s), (h_c, n_c) = counts.stable, counts.surely
    recent = remembered(after.stable_recent, h_s, n_s), remembered(after.canary_recent, h_c, n_c)
    if rule.relative and (n_s <= 0 or n_c <= 0):
        return replace(after, stable_recent=recent[0], canary_recent=recent[1])
    return Shares(
        *recent,
        (after.stable_whole[0] + h_s, after.stable_whole[1] + n_s),
        (after.canary_whole[0] + h_c, after.canary_whole[1] + n_c),
        after.expected + (n_c * h_s / n_s if n_s > 0 else 0.0),
        after.bounds,
        after.stable_counts,
        after.canary_counts,
    )


def _kept_buckets(memory: Shares, window: Window) -> Shares:
    mine, other = window.canary, window.stable
    bounds = next((each.bounds for each in (other, mine) if isinstance(each, Histogram)), memory.bounds)
    if bounds != memory.bounds:  # other buckets: what was remembered in the old ones is of no use
        none = (0.0,) * (len(bounds) + 1)
        memory = replace(memory, bounds=bounds, stable_counts=none, canary_counts=none)
    stable, canary = memory.stable_counts, memory.canary_counts
    if isinstance(other, Histogram) and other.bounds == bounds:
        stable = tuple(map(add, stable, other.counts))
        if (total := sum(stable)) > 20_000:
            stable = tuple([each * (20_000 / total) for each in stable])
    if isinstance(mine, Histogram) and mine.bounds == bounds:
        canary = tuple(map(add, canary, mine.counts))
    recent, whole = (memory.stable_recent, memory.canary_recent), (memory.stable_whole, memory.canary_whole)
    return Shares(*recent, *whole, memory.expected, bounds, stable, canary)

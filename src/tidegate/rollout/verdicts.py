"""What is known of each requirement, in figures: value, interval, bound, e-values, requests."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.rollout import drift, intervals
from tidegate.rollout.evidence import needed, refutes_bad, refutes_good
from tidegate.rollout.memory import Distributions, Means, Shares
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.rules import Rule, rules
from tidegate.rollout.shares import quantile_bound
from tidegate.rollout.state import Evidence, State


@dataclass(frozen=True, slots=True)
class Verdict:
    """Value, interval and bound are on one scale: shares of bad requests, a reward, a query's number; relative ones as
    the new model's less the stable model's. None: not known, or of a query, for which no interval can be stated.
    """

    name: str
    kind: str
    relative: bool
    value: float | None
    low: float | None
    high: float | None
    bound: float
    stable: float | None
    """The stable model's own value, of what is relative."""
    canary: float | None
    """The new model's own value, of what is relative."""
    against_good: float
    """E-value against `not worse`; at `breaks_at` it rolls back."""
    breaks_at: float | None
    against_bad: float
    """E-value against `too bad to go on`; at `holds_at` it lets the rollout go on."""
    holds_at: float | None
    seen: float
    """Requests (rewards, answers) of the new model."""
    broken: bool
    shown: bool
    at_least: bool = False
    """The bound is one from below."""
    quantile: float | None = None
    """Of latencies: the new model's quantile so far (the bucket's upper bound, in seconds)."""
    where: str = ""
    """Of distributions: the bin or category that moved most."""


def verdicts(plan: RolloutPlan, state: State) -> tuple[Verdict, ...]:
    """One for each requirement, in order; a bandit's own comes last."""
    found = rules(plan)
    if len(found) != len(state.evidence):
        return ()
    breaks_at, holds_at = needed(plan, found)
    return tuple(_verdict(r, e, breaks_at, holds_at) for r, e in zip(found, state.evidence, strict=True))


def _verdict(rule: Rule, evidence: Evidence, breaks_at: float, holds_at: float) -> Verdict:
    value, interval, stable, canary = _measured(rule, evidence)
    memory = evidence.memory
    counts = memory.canary_counts if isinstance(memory, Shares) else ()
    return Verdict(
        name=rule.name,
        kind=rule.kind,
        relative=rule.relative,
        value=value,
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        bound=_bound(rule),
        stable=stable,
        canary=canary,
        against_good=sum(evidence.back) if rule.bounded else 0.0,
        breaks_at=breaks_at if rule.rolls_back and rule.bounded else None,
        against_bad=sum(evidence.forward) if rule.bounded else 0.0,
        holds_at=holds_at if rule.promotes and rule.bounded else None,
        seen=evidence.seen,
        broken=rule.rolls_back and refutes_good(rule, evidence, breaks_at),
        shown=refutes_bad(rule, evidence, holds_at),
        at_least=rule.kind in ("reward", "query") and rule.sign > 0,
        quantile=quantile_bound(memory.bounds, counts, rule.quantile) if isinstance(memory, Shares) else None,
        where=drift.named(memory, drift.largest(memory)[0]) if isinstance(memory, Distributions) else "",
    )


def _bound(rule: Rule) -> float:
    """On the scale of the value; a relative mean may be lower by the margin: the difference is at least that."""
    if rule.kind != "reward":
        return rule.bound
    wide = rule.high - rule.low
    return -rule.bound * wide if rule.relative else rule.low + rule.bound * wide


Measured = tuple[float | None, tuple[float, float] | None, float | None, float | None]
"""Value, interval, stable's own, canary's own."""


def _measured(rule: Rule, evidence: Evidence) -> Measured:
    memory = evidence.memory
    if isinstance(memory, Shares):
        return _share(rule, memory)
    if isinstance(memory, Means):
        return _mean(rule, memory)
    if isinstance(memory, Distributions):
        name, one, other, apart = drift.largest(memory)
        if not name:
            return None, None, None, None
        totals = sum(memory.stable.values()), sum(memory.canary.values())
        low, high = intervals.difference((one * totals[0], totals[0]), (other * totals[1], totals[1]))
        near = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        return apart, (near, max(abs(low), abs(high))), one, other
    return memory.value, None, memory.stable, None


def _share(rule: Rule, memory: Shares) -> Measured:
    (bad, seen), stable_seen = memory.canary_whole, memory.stable_whole[1]
    if seen <= 0:
        return None, None, None, None
    own = bad / seen
    if not rule.relative:
        return own, intervals.rate(bad, seen), None, own
    if stable_seen <= 0:
        return None, None, None, own
    stable = memory.expected / seen
    return own - stable, intervals.difference((stable * stable_seen, stable_seen), (bad, seen)), stable, own


def _mean(rule: Rule, memory: Means) -> Measured:
    wide, low = rule.high - rule.low, rule.low
    if memory.canary_whole[0] <= 0:
        return None, None, None, None
    own = memory.canary_whole[1] / memory.canary_whole[0]
    if not rule.relative:
        ends = intervals.mean(memory.canary_sequence)
        return low + wide * own, (low + wide * ends[0], low + wide * ends[1]), None, low + wide * own
    if memory.stable_whole[0] <= 0:
        return None, None, None, low + wide * own
    stable = memory.stable_whole[1] / memory.stable_whole[0]
    half = intervals.LEVEL / 2
    mine, other = intervals.mean(memory.canary_sequence, half), intervals.mean(memory.stable_sequence, half)
    interval = (wide * (mine[0] - other[1]), wide * (mine[1] - other[0]))
    return wide * (own - stable), interval, low + wide * stable, low + wide * own

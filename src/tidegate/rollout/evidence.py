"""What the requirements have seen, and what follows: whether one is broken, whether all let the rollout go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tidegate.rollout import drift, means, shares
from tidegate.rollout.memory import Distributions, Means, Memory, Readings, Shares
from tidegate.rollout.observation import CANARY, Gauge, Value
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.rules import Rule, rules
from tidegate.rollout.state import Evidence, State
from tidegate.rollout.windows import Place, Window, size


def initial(plan: RolloutPlan) -> tuple[Evidence, ...]:
    """Nothing seen yet."""
    return tuple(_fresh(rule) for rule in rules(plan))


def weigh(
    state: State,
    found: Sequence[Rule],
    windows: Sequence[Window],
    gained: Mapping[Place, Value],
    wide: float,
    age: float,
) -> tuple[Evidence, ...]:
    """The evidence after further `windows` of both roles, for what is relative to stable, and after what the new model
    `gained`, for what is not. `wide`: how much laxer than the bound the next weight may be tested.
    """
    if not gained and not windows:
        return state.evidence
    after = []
    for rule, evidence in zip(found, state.evidence, strict=True):
        if rule.relative:
            for window in windows:
                if window.measure == rule.measure and window.slice == rule.slice:
                    evidence = _weighed(rule, evidence, window, wide, age)
        elif (value := gained.get((CANARY, rule.measure, rule.slice))) is not None:
            evidence = _weighed(rule, evidence, Window(rule.measure, rule.slice, None, value), wide, age)
        after.append(evidence)
    return tuple(after)


def grown(evidence: Iterable[Evidence], age: float, keep: bool = False) -> tuple[Evidence, ...]:
    """For more traffic than before: what lets the rollout go on begins anew, unless `keep`."""
    return tuple(_restarted(each, age, keep) for each in evidence)


def needed(plan: RolloutPlan, found: Sequence[Rule]) -> tuple[float, float]:
    """E-values at which a requirement rolls back, and lets the rollout go on.

    Any of m requirements may roll back, so each has its share of the bound: m / alpha. To go on all must be refuted to
    be bad, and that happens while one of them is bad with probability at most beta, however many there are
    (intersection-union; Berger, Multiparameter hypothesis testing and acceptance sampling, Technometrics 1982).
    """
    deciding = sum(rule.rolls_back and rule.bounded for rule in found)
    return max(deciding, 1) / plan.bounds.false_rollback, 1 / plan.bounds.false_promotion


def broken(plan: RolloutPlan, found: Sequence[Rule], evidence: Sequence[Evidence]) -> Rule | None:
    """The requirement that the new model breaks, where one is."""
    least = needed(plan, found)[0]
    for rule, each in zip(found, evidence, strict=True):
        if rule.rolls_back and refutes_good(rule, each, least):
            return rule
    return None


def unshown(plan: RolloutPlan, found: Sequence[Rule], evidence: Sequence[Evidence]) -> list[Rule]:
    """The requirements that must hold to go on and are not yet shown to."""
    least = 1 / plan.bounds.false_promotion
    return [r for r, e in zip(found, evidence, strict=True) if r.promotes and not refutes_bad(r, e, least)]


def refutes_good(rule: Rule, evidence: Evidence, least: float) -> bool:
    """Whether the requirement is broken."""
    if isinstance(evidence.memory, Readings):
        return evidence.memory.broken >= rule.samples
    return sum(evidence.back) >= least


def refutes_bad(rule: Rule, evidence: Evidence, least: float) -> bool:
    """Whether the requirement is shown to hold as far as the next weight needs it."""
    if isinstance(evidence.memory, Readings):
        return evidence.memory.kept >= rule.samples
    return evidence.in_step > 0 and sum(evidence.forward) >= least


def _fresh(rule: Rule) -> Evidence:
    if rule.kind == "reward":
        return Evidence(rule.name, Means(), means.START, means.START)
    if rule.kind == "drift":
        return Evidence(rule.name, Distributions())
    if rule.kind == "query":
        return Evidence(rule.name, Readings())
    return Evidence(rule.name, Shares(), shares.BACK, shares.FORWARD)


def _restarted(evidence: Evidence, age: float, keep: bool) -> Evidence:
    if keep:
        return replace(evidence, fresh=age)
    memory: Memory = evidence.memory
    start: tuple[float, ...] = (1.0,)
    if isinstance(memory, Shares):
        start = shares.FORWARD
    elif isinstance(memory, Means):
        start = means.START
    elif isinstance(memory, Distributions):
        memory = drift.started_again(memory)
    elif isinstance(memory, Readings):
        memory = replace(memory, kept=0)
    return replace(evidence, memory=memory, forward=start, in_step=0.0, fresh=age)


def _weighed(rule: Rule, evidence: Evidence, window: Window, wide: float, age: float) -> Evidence:
    memory = evidence.memory
    after: Memory
    if isinstance(memory, Shares):
        after, back, forward, seen = shares.weighed(rule, memory, evidence.back, evidence.forward, window, wide)
    elif isinstance(memory, Means):
        after, back, forward, seen = means.weighed(rule, memory, evidence.back, evidence.forward, window, wide)
    elif isinstance(memory, Distributions):
        after, back, forward, seen = drift.weighed(rule, memory, window, wide)
    else:
        back, forward = evidence.back, evidence.forward
        after, seen = _read(rule, memory, window)
    return Evidence(
        evidence.name,
        after,
        back,
        forward,
        evidence.seen + seen,
        evidence.in_step + seen,
        age if seen else evidence.fresh,
    )


def _read(rule: Rule, memory: Readings, window: Window) -> tuple[Readings, float]:
    """One more value of a query: consecutive samples decide, as for Argo Rollouts; no error bound can be stated."""
    stable = _value(window.stable) if window.stable is not None else memory.stable
    value = _value(window.canary)
    if value is None or (rule.relative and stable is None):
        return replace(memory, stable=stable), 0.0
    bound = (stable or 0.0) + rule.bound if rule.relative else rule.bound
    good = rule.sign * (value - bound) >= 0
    kept, bad = (memory.kept + 1, 0) if good else (0, memory.broken + 1)
    return Readings(min(kept, rule.samples), min(bad, rule.samples), value, stable), size(window.canary)


def _value(value: Value | None) -> float | None:
    return value.value if isinstance(value, Gauge) else None

"""What each phase of a rollout does in a turn: another state, an action, or (no action) the next phase's turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidegate.rollout import bandit, evidence, explain, shares, strategies
from tidegate.rollout.actions import Action, Drop, Prepare, Promote, Record, SetTraffic, Wait
from tidegate.rollout.memory import Means, Shares
from tidegate.rollout.observation import CANARY, STABLE, Observation
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.rules import Rule
from tidegate.rollout.state import Phase, State

DRAIN_SECONDS = 15.0
"""A new model that still gets requests so long after it should get none is dropped at once."""
Turn = tuple[State, Action | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a turn decides on besides the state."""

    plan: RolloutPlan
    observation: Observation
    rules: tuple[Rule, ...]
    now: float


# ------------------------------------------------------------ the phases
def preparing(seen: Seen, state: State) -> Turn:
    """The new model comes up; nothing is decided before it is ready."""
    routing, deadline = seen.observation.routing, seen.plan.deadlines.ready_seconds
    if reason := held(seen, state):
        return state, Wait(reason)
    if routing.models.get(CANARY) == state.uri and routing.ready.get(CANARY) and not routing.failing.get(CANARY):
        weight, mirror = strategies.first(seen.plan)
        share = f"{weight} % of requests" if weight else f"a copy of {mirror} % of requests"
        return to(
            state, Phase.PROGRESSING, f"the new model is ready, and gets {share}", weight=weight, mirror=mirror
        ), None
    failing = routing.failing.get(CANARY, "")
    if state.age - state.began >= deadline:
        why = f": {failing}" if failing else ""
        return back(state, f"the new model was not ready within {deadline:g} s{why}", emergency=True), None
    reason = f"waits for the new model to be ready{f' ({failing})' if failing else ''}"
    model = seen.plan.model
    return replace(state, reason=reason), Prepare(model.uri, model.digest, model.version)


def progressing(seen: Seen, state: State) -> Turn:
    """The new model is tried."""
    if worse := _trouble(seen, state):
        return worse, None
    if reason := held(seen, state):
        return state, Wait(reason)
    if not in_force(seen, state):
        return _not_in_force(seen, state)
    if state.entered is None:
        state = _entered(state)
    if silent := _silent(seen, state):
        return back(state, silent), None
    if state.age >= seen.plan.deadlines.total_seconds:
        return back(state, f"not promoted within {seen.plan.deadlines.total_seconds:g} s"), None
    if seen.plan.strategy.bandit:
        state = _rebalanced(seen, state)
        if not in_force(seen, state):
            return state, _traffic(state)
    return _onward(seen, state)


def switched(seen: Seen, state: State) -> Turn:
    """Blue-green: the new model answers, the old one is warm."""
    if worse := _trouble(seen, state):
        return worse, None
    if reason := held(seen, state):
        return state, Wait(reason)
    if not in_force(seen, state):
        return _not_in_force(seen, state)
    if state.entered is None:
        state = replace(state, entered=state.age, active=state.age)
    warm = seen.plan.strategy.blue_green.warm_seconds if seen.plan.strategy.blue_green else 0.0
    quiet = state.age - state.active
    if quiet >= seen.plan.deadlines.evidence_seconds:
        return back(state, f"no answer of the new model was seen for {quiet:.0f} s"), None
    left = warm - (state.age - (state.entered or 0.0))
    if left > 0:
        return state, Wait("the old model is kept warm", seen.now + left)
    return to(state, Phase.RECORDING, "the new model held after the switch", outcome=Phase.PROMOTED), None


def recording(seen: Seen, state: State) -> Turn:
    """Git first: Argo CD would undo a promotion that it does not find there."""
    if worse := _trouble(seen, state):
        return worse, None
    if seen.plan.git is None or state.recorded:
        return to(state, Phase.PROMOTING, state.reason), None
    if reason := held(seen, state):
        return state, Wait(reason)
    return state, record_of(seen, state)


def promoting(seen: Seen, state: State) -> Turn:
    """The stable role takes the new model; there is no way back but another rollout."""
    routing = seen.observation.routing
    if routing.models.get(STABLE) == state.uri and routing.ready.get(STABLE) and CANARY not in routing.models:
        return to(state, Phase.PROMOTED, state.reason, weight=0, mirror=0), None
    same = seen.plan.model.uri == state.uri
    return state, Promote(state.uri, state.digest, seen.plan.model.version if same else "")


def rolling_back(seen: Seen, state: State) -> Turn:
    """Requests go to the stable model first; then the new one ends. A sick one is dropped at once."""
    routing = seen.observation.routing
    gone = STABLE in routing.models and CANARY not in routing.models and not routing.weights.get(CANARY)
    if gone and state.entered is not None:
        return to(state, Phase.CONCLUDING, state.reason), None
    state = replace(state, entered=state.age)  # one that is not seen may still be on its way up: it is dropped, too
    sick = not routing.ready.get(CANARY) or bool(routing.failing.get(CANARY))
    if state.emergency or sick or state.age - state.began >= DRAIN_SECONDS:
        return replace(state, emergency=True), Drop(emergency=True)
    if not routing.weights.get(CANARY) and not routing.mirrored:
        return state, Drop()
    return state, _traffic(state)


def concluding(seen: Seen, state: State) -> Turn:
    """Traffic is safe; Git is told."""
    outcome = state.outcome or Phase.ROLLED_BACK
    if outcome is not Phase.ROLLED_BACK or seen.plan.git is None or state.recorded:
        return to(state, outcome, state.reason), None
    return state, record_of(seen, state)


# ------------------------------------------------------------ what they share
def to(state: State, phase: Phase, reason: str, **changes: Any) -> State:
    """In another phase, for a reason."""
    return replace(state, phase=phase, reason=reason, began=state.age, entered=None, **changes)


def back(state: State, reason: str, emergency: bool = False, recorded: bool = False) -> State:
    """On the way back to the stable model."""
    return to(
        state, Phase.ROLLING_BACK, reason, outcome=Phase.ROLLED_BACK, weight=0, mirror=0, emergency=emergency,
        recorded=recorded, paused=False,
    )  # fmt: skip


def may_go_back(state: State) -> bool:
    """Whether the stable model is still there to go back to."""
    return state.phase in (Phase.PREPARING, Phase.PROGRESSING, Phase.SWITCHED, Phase.RECORDING)


def held(seen: Seen, state: State) -> str:
    """Why nothing may move forward, by the will of people; empty: it may."""
    if foreign := seen.observation.routing.foreign:
        return f"held: somebody else changed what this rollout owns: {foreign}"
    if seen.plan.paused:
        return "paused by the plan"
    return "paused by a person" if state.paused else ""


def in_force(seen: Seen, state: State) -> bool:
    """Whether the traffic is what the state says."""
    routing = seen.observation.routing
    right = routing.weights.get(CANARY, 0) == state.weight and routing.mirrored == state.mirror
    return right and routing.models.get(CANARY) == state.uri and bool(routing.ready.get(CANARY))


def record_of(seen: Seen, state: State) -> Record:
    """The verdict as Git is to have it."""
    outcome = "promoted" if state.outcome is Phase.PROMOTED else "rolledBack"
    return Record(outcome, state.uri, "\n".join(explain.explain(seen.plan, state)))


def _trouble(seen: Seen, state: State) -> State | None:
    """The way back, where the new model fails outright, breaks a requirement, or stays unready."""
    routing = seen.observation.routing
    if failing := routing.failing.get(CANARY):
        return back(state, f"the new model cannot serve: {failing}", emergency=True)
    if rule := evidence.broken(seen.plan, seen.rules, state.evidence):
        return back(state, f"the new model breaks {explain.of(seen.plan, state, rule)}")
    patience = seen.plan.deadlines.evidence_seconds
    if state.unready is not None and state.age - state.unready >= patience:
        return back(state, f"the new model was not ready for {patience:g} s", emergency=True)
    return None


def _not_in_force(seen: Seen, state: State) -> Turn:
    deadline = seen.plan.deadlines.ready_seconds
    if state.entered is None and state.age - state.began >= deadline:
        return back(state, f"the traffic did not come into force within {deadline:g} s"), None
    return state, _traffic(state)


def _traffic(state: State) -> SetTraffic:
    weights: Mapping[str, int] = {STABLE: 100 - state.weight, CANARY: state.weight}
    return SetTraffic(weights, state.mirror)


def _entered(state: State) -> State:
    """The traffic is in force: this step's evidence begins."""
    fresh = evidence.grown(state.evidence, state.age, keep=state.weight == 100)
    return replace(state, entered=state.age, requests=0.0, active=state.age, evidence=fresh)


def _silent(seen: Seen, state: State) -> str:
    """Which requirement has had no new evidence for too long; empty: none."""
    patience = seen.plan.deadlines.evidence_seconds
    for rule, each in zip(seen.rules, state.evidence, strict=True):
        fresh = state.active if state.weight == 100 and rule.relative else each.fresh
        if state.age - fresh >= patience:
            return f"no new evidence for {rule.name} for {state.age - fresh:.0f} s"
    return ""


def _rebalanced(seen: Seen, state: State) -> State:
    """A bandit's traffic, where the rewards say that it should be another by two per cent or more."""
    plan, memory = seen.plan.strategy.bandit, state.evidence[-1].memory
    if plan is None or not isinstance(memory, Means):
        return state
    weight = bandit.weight(plan, memory)
    return replace(state, weight=weight) if abs(weight - state.weight) >= 2 else state


def _onward(seen: Seen, state: State) -> Turn:
    """The next weight, or the verdict, as soon as time, requests and evidence allow it."""
    plan, step = seen.plan, strategies.step(seen.plan, state)
    if failing := seen.observation.routing.failing.get(STABLE):
        return state, Wait(f"held: the stable model cannot serve: {failing}")
    left = step.min_seconds - (state.age - (state.entered or 0.0))
    if left > 0:
        return state, Wait(f"stays at {state.weight} % for {step.min_seconds:g} s", seen.now + left)
    if state.requests < step.min_requests:
        return state, Wait(f"{state.requests:.0f} of {step.min_requests} requests were answered at {state.weight} %")
    following = strategies.next_weight(plan, state)
    if not any(rule.promotes for rule in seen.rules) and (following is None or following == 100):
        return state, Wait("no requirement decides promotion: waits for a person to promote or abort")
    ramp = following is not None and following != 100 and bool(plan.strategy.canary and plan.strategy.canary.steps)
    missing = _unseen(seen, state) if ramp else evidence.unshown(plan, seen.rules, state.evidence)
    if missing:
        return state, Wait(f"not enough evidence yet for {', '.join(_named(state, rule) for rule in missing)}")
    if following is not None:
        state = strategies.onward(state, following)
        return replace(state, reason=f"{following} % of requests for the new model"), None
    phase, outcome = strategies.verdict(plan)
    weight = 100 if phase is Phase.SWITCHED else state.weight if phase is Phase.RECORDING else 0
    mirror = state.mirror if phase is Phase.RECORDING else 0
    return to(state, phase, "every requirement is shown to hold", outcome=outcome, weight=weight, mirror=mirror), None


def _named(state: State, rule: Rule) -> str:
    """The requirement, and what keeps it from ever being shown, where something does."""
    memory = next(each.memory for each in state.evidence if each.name == rule.name)
    why = shares.blur(rule, memory) if isinstance(memory, Shares) else ""
    return f"{rule.name} ({why})" if why else rule.name


def _unseen(seen: Seen, state: State) -> list[Rule]:
    """The requirements that had no evidence at all at this weight."""
    return [rule for rule, each in zip(seen.rules, state.evidence, strict=True) if rule.promotes and each.in_step <= 0]

"""The decision: what follows from plan, state and observation. Pure, total, the same for the same input.

The state says what should be; the action is what is not yet seen in force, asked for again and again, harmless to
repeat. The driver persists the state before it performs the action, so that it may be killed anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isfinite

from tidegate.rollout import counting, phases
from tidegate.rollout.actions import Action, Wait
from tidegate.rollout.evidence import initial
from tidegate.rollout.observation import CANARY, Observation
from tidegate.rollout.phases import Seen, to
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.rules import rules
from tidegate.rollout.state import Phase, State

UNWATCHED = 30.0
"""A gap between two turns counts as at most so many seconds, or half the deadline for evidence where that is more."""

_PHASES: dict[Phase, Callable[[Seen, State], tuple[State, Action | None]]] = {
    Phase.PREPARING: phases.preparing,
    Phase.PROGRESSING: phases.progressing,
    Phase.SWITCHED: phases.switched,
    Phase.RECORDING: phases.recording,
    Phase.PROMOTING: phases.promoting,
    Phase.ROLLING_BACK: phases.rolling_back,
    Phase.CONCLUDING: phases.concluding,
}


def start(plan: RolloutPlan, now: float, stable: str) -> State:
    """The state of a rollout that begins: `stable` is the uri that is live. Of the live model itself there is nothing
    to roll out: the state is final at once.

    Raises: ValueError where no model is live: a first one has nothing to be compared with, and is served directly.
    """
    if not stable:
        raise ValueError(
            "no model is live, so there is none to go back to: serve the first one directly, without a rollout"
        )
    state = State(plan.model.uri, stable, now if isfinite(now) else 0.0, plan.model.digest, evidence=initial(plan))
    if stable == plan.model.uri:
        return replace(
            state, phase=Phase.PROMOTED, outcome=Phase.PROMOTED, recorded=True, reason="this model is live already"
        )
    return replace(state, reason="the new model comes up, without requests")


def advance(plan: RolloutPlan, state: State, observation: Observation, now: float) -> tuple[State, Action]:
    """The state after an observation at `now` (seconds since the epoch), and what to do next.

    Never raises, whatever is observed; the same observation again changes nothing that matters.
    """
    if state.phase.final:
        return state, Wait(state.reason)
    found = rules(plan)
    if tuple(each.name for each in state.evidence) != tuple(each.name for each in found):
        state = replace(state, evidence=initial(plan))  # the plan was edited: what was seen answers another question
    seen = Seen(plan, observation, found, now if isfinite(now) else state.clock)
    held = phases.held(seen, state)
    state = counting.counted(seen, state, _age(plan, state, seen.now, bool(held)))
    state = _told(seen, state)
    state = _commanded(seen, state)
    if (state.uri, state.digest) != (plan.model.uri, plan.model.digest) and phases.may_go_back(state):
        state = phases.back(state, f"another model was asked for: {plan.model.uri}", recorded=True)
    for _ in range(len(_PHASES) + 1):
        if state.phase.final:
            return state, Wait(state.reason)
        state, action = _PHASES[state.phase](seen, state)
        if action is not None:
            return state, action
    return state, Wait(state.reason)


def _age(plan: RolloutPlan, state: State, now: float, held: bool) -> float:
    """With the time since the last turn.

    A gap that nobody watched (a driver that was down, a clock set forward) counts as a short one: silence that nobody
    listened to condemns no model. A clock that is set back costs nothing; time that somebody holds the rollout does not
    count at all.
    """
    gap = now - state.clock
    most = max(UNWATCHED, plan.deadlines.evidence_seconds / 2)
    return state.age + (0.0 if held or gap < 0 else min(gap, most))


def _told(seen: Seen, state: State) -> State:
    """With what the observation says of readiness and of Git."""
    routing = seen.observation.routing
    ready = routing.ready.get(CANARY, False)
    unready = None if ready else state.age if state.unready is None else state.unready
    key = phases.record_of(seen, state).key if state.outcome else ""
    recorded = state.recorded or bool(key and seen.observation.recorded == key)
    if unready == state.unready and recorded == state.recorded:
        return state
    return replace(state, unready=unready, recorded=recorded)


def _commanded(seen: Seen, state: State) -> State:
    for command in seen.observation.commands:
        if command == "pause":
            state = replace(state, paused=True)
        elif command == "resume":
            state = replace(state, paused=False)
        elif command == "abort" and phases.may_go_back(state):
            state = phases.back(state, "a person said abort")
        elif command == "promote":
            state = _promoted_by_hand(seen, state)
    return state


def _promoted_by_hand(seen: Seen, state: State) -> State:
    if state.phase not in (Phase.PREPARING, Phase.PROGRESSING, Phase.SWITCHED):
        return state
    routing = seen.observation.routing
    if seen.plan.paused:
        return replace(state, reason="not promoted by hand: the plan says paused")
    if routing.models.get(CANARY) != state.uri or not routing.ready.get(CANARY) or routing.failing.get(CANARY):
        return replace(state, reason="not promoted by hand: the new model is not ready")
    return to(replace(state, paused=False), Phase.RECORDING, "a person said promote", outcome=Phase.PROMOTED)

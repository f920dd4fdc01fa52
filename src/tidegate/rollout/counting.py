"""The observation's figures become evidence."""

from __future__ import annotations

from dataclasses import replace

from tidegate.rollout import strategies, windows
from tidegate.rollout.evidence import weigh
from tidegate.rollout.observation import CANARY, Gauge
from tidegate.rollout.phases import Seen
from tidegate.rollout.state import Phase, State
from tidegate.rollout.windows import size

_WEIGHING = (Phase.PROGRESSING, Phase.SWITCHED, Phase.RECORDING)


def counted(seen: Seen, state: State, age: float) -> State:
    """With what was newly counted since the last turn; before the trial begins only the stable model's is of use."""
    stepped = seen.now < state.clock
    ledger, gained = windows.read(state.ledger, seen.observation.series, seen.plan.model.version, stepped)
    weighing = state.phase in _WEIGHING
    if not weighing:
        gained = {place: value for place, value in gained.items() if place[0] != CANARY}
    compared = {(rule.measure, rule.slice) for rule in seen.rules if rule.relative}
    both = {place: value for place, value in gained.items() if place[1:] in compared}
    pending, found = windows.compare(state.pending, both, age)
    answered = max(
        (
            size(value)
            for (role, _, part), value in gained.items()
            if role == CANARY and not part and not isinstance(value, Gauge)
        ),
        default=0.0,
    )
    evidence = weigh(state, seen.rules, found, gained, strategies.laxity(seen.plan, state), age)
    return replace(
        state,
        clock=seen.now,
        age=age,
        ledger=ledger,
        pending=pending,
        evidence=evidence,
        requests=state.requests + answered,
        active=age if answered else state.active,
    )

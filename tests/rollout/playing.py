"""A place that serves, obeys at once and counts what a test says; and rollouts played on it, turn by turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tidegate.rollout.actions import Action, Drop, Prepare, Promote, Record, SetTraffic, Wait
from tidegate.rollout.advance import advance, start
from tidegate.rollout.documents import checked
from tidegate.rollout.observation import CANARY, STABLE, Observation, Routing, Series, Tally
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.state import State, decode, encode

NOW = 1_700_000_000.0
ERRORS = {"name": "errors", "errorRate": True, "versusStable": {"margin": 0.02}}


def plan(**said: Any) -> RolloutPlan:
    """A plan from what differs from a short canary of two steps."""
    strategy = {"canary": {"steps": [{"weight": 10, "minSeconds": 10}, {"weight": 50, "minSeconds": 10}]}}
    return checked({"model": {"uri": "new"}, "strategy": strategy, "requirements": [ERRORS], **said})


@dataclass
class Place:
    """Counts grow by `rate` requests a turn, shared by weight; `errors` gives each role's share of bad ones."""

    rate: float = 1000.0
    errors: dict[str, float] = field(default_factory=lambda: {STABLE: 0.01, CANARY: 0.01})
    routing: Routing = field(default_factory=lambda: Routing({STABLE: 100}, 0, {STABLE: "old"}, {STABLE: True}))
    counts: dict[str, list[float]] = field(default_factory=lambda: {STABLE: [0.0, 0.0], CANARY: [0.0, 0.0]})
    recorded: str = ""
    done: list[Action] = field(default_factory=list)
    silent: bool = False

    def passes(self) -> None:
        for role, counts in self.counts.items():
            share = self.routing.weights.get(role, 0) / 100
            share += self.routing.mirrored / 100 if role == CANARY else 0
            counts[0] += round(self.rate * share)
            counts[1] = round(counts[1] + self.rate * share * self.errors[role])

    def seen(self, now: float, *commands: str) -> Observation:
        series = [
            Series(role, "errors", Tally(*self.counts[role]), now) for role in self.routing.models if not self.silent
        ]
        return Observation(self.routing, tuple(series), commands, self.recorded)

    def perform(self, action: Action) -> None:
        self.done.append(action)
        models, ready = dict(self.routing.models), dict(self.routing.ready)
        if isinstance(action, Prepare):
            models[CANARY], ready[CANARY] = action.uri, True
            self.routing = replace(self.routing, models=models, ready=ready)
        elif isinstance(action, SetTraffic):
            self.routing = replace(self.routing, weights=dict(action.weights), mirrored=action.mirror)
        elif isinstance(action, Promote):
            self.routing = Routing({STABLE: 100}, 0, {STABLE: action.uri}, {STABLE: True})
        elif isinstance(action, Drop):
            self.routing = Routing({STABLE: 100}, 0, {STABLE: models[STABLE]}, {STABLE: True})
        elif isinstance(action, Record):
            self.recorded = action.key


@dataclass
class Played:
    state: State
    place: Place
    states: list[State]
    actions: list[Action]
    log: list[tuple[Observation, float]]

    def weights(self) -> list[int]:
        """The canary's weights in their order, each once."""
        found = [each.weight for each in self.states]
        return [weight for at, weight in enumerate(found) if at == 0 or found[at - 1] != weight]


def play(
    spec: RolloutPlan, place: Place | None = None, turns: int = 400, step: float = 5.0, state: State | None = None,
    before: Callable[[int, Place], Sequence[str] | None] = lambda turn, place: None, now: float = NOW,
    perform: Callable[[int], bool] = lambda turn: True,
) -> Played:  # fmt: skip
    """Turn by turn until the end: `before` may change the place and returns commands, `perform` may lose an action.

    Every state goes through its JSON, as in a driver that is killed after each turn.
    """
    place = place or Place()
    state = state or start(spec, now, "old")
    states, actions, log = [state], [], []
    for turn in range(turns):
        if state.phase.final:
            break
        commands = before(turn, place) or ()
        place.passes()
        now += step
        seen = place.seen(now, *commands)
        log.append((seen, now))
        state, action = advance(spec, state, seen, now)
        state = decode(json.loads(json.dumps(encode(state))))
        states.append(state)
        actions.append(action)
        if perform(turn) and not isinstance(action, Wait):
            place.perform(action)
    return Played(state, place, states, actions, log)

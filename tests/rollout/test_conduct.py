"""One turn as a driver takes it."""

from __future__ import annotations

import asyncio

import pytest

from tests.rollout.playing import NOW, Place, plan
from tidegate.rollout.actions import Prepare, Record
from tidegate.rollout.advance import start
from tidegate.rollout.conduct import turn
from tidegate.rollout.ports import PortError
from tidegate.rollout.state import Phase


class Ports:
    """A place as both ports; `down`: what cannot be reached."""

    def __init__(self, place: Place, down: str = "") -> None:
        self.place, self.down, self.now = place, down, NOW

    async def routing(self):
        if self.down == "router":
            raise PortError("no answer")
        return self.place.routing

    async def read(self):
        if self.down == "metrics":
            raise PortError("no answer")
        return self.place.seen(self.now).series

    async def perform(self, action):
        self.place.perform(action)


def test_a_turn_decides_and_changes_nothing():
    place = Place()
    ports = Ports(place)
    state, action = asyncio.run(turn(plan(), start(plan(), NOW, "old"), ports, ports, NOW + 5))
    assert action == Prepare("new")
    assert place.done == []
    assert state.clock == NOW + 5


def test_metrics_that_cannot_be_read_are_silence():
    ports = Ports(Place(), "metrics")
    state, _ = asyncio.run(turn(plan(), start(plan(), NOW, "old"), ports, ports, NOW + 5))
    assert state.ledger == {}


def test_without_the_routing_nothing_is_decided():
    ports = Ports(Place(), "router")
    with pytest.raises(PortError):
        asyncio.run(turn(plan(), start(plan(), NOW, "old"), ports, ports, NOW + 5))


def test_driven_through_the_ports_it_ends():
    spec = plan(git={"repository": "https://example.com/r.git", "path": "m.yaml"})
    place = Place()
    ports = Ports(place)

    async def driven():
        state = start(spec, NOW, "old")
        recorded = ""
        while not state.phase.final and ports.now < NOW + 2000:
            place.passes()
            ports.now += 5
            state, action = await turn(spec, state, ports, ports, ports.now, recorded=recorded)
            if isinstance(action, Record):
                recorded = action.key
            elif type(action).__name__ != "Wait":
                await ports.perform(action)
        return state

    assert asyncio.run(driven()).phase is Phase.PROMOTED

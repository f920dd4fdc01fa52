"""Leader election, the queue, the watch's handler, and the operator's own endpoints."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.doubles.api import MemoryApi
from tidegate.kube.client import ApiError
from tidegate.kube.resources import LEASES
from tidegate.operator.health import serve
from tidegate.operator.lease import Leader, LostError, Timing
from tidegate.operator.queue import Key, Queue
from tidegate.operator.rights import LEADING, WORK
from tidegate.operator.run import installed
from tidegate.operator.telling import Telling
from tidegate.operator.watch import Watch

A, B = Key("ns", "a"), Key("ns", "b")
LEASE = LEASES.path("ns", "op")


# ------------------------------------------------------------ the Lease
class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def leaders(api: MemoryApi, *clocks: Clock) -> list[Leader]:
    return [Leader(api, "ns", "op", f"op-{i}", clock, Timing(duration=15)) for i, clock in enumerate(clocks)]


def test_one_of_two_leads_and_the_other_takes_over_when_it_is_silent() -> None:
    async def scene() -> None:
        clock = Clock()
        first, second = leaders(MemoryApi(), clock, clock)
        assert await first.attempt()
        assert not await second.attempt()
        clock.now = 14
        assert await first.attempt()
        clock.now = 28
        assert not await second.attempt()  # the Lease changed at 14, seen now
        clock.now = 44
        assert await second.attempt()
        assert not await first.attempt()

    asyncio.run(scene())


def test_clocks_of_machines_are_not_compared() -> None:
    async def scene() -> None:
        ahead, behind = Clock(), Clock()
        ahead.now = 1e6
        first, second = leaders(MemoryApi(), behind, ahead)
        assert await first.attempt()
        assert not await second.attempt()

    asyncio.run(scene())


def test_of_two_that_take_it_at_once_one_wins() -> None:
    async def scene() -> None:
        api, clock = MemoryApi(), Clock()
        _, second, third = leaders(api, clock, clock, clock)
        dead = Leader(api, "ns", "op", "dead", clock)
        assert await dead.attempt()
        assert not await second.attempt()
        assert not await third.attempt()
        clock.now = 100
        assert sorted(await asyncio.gather(second.attempt(), third.attempt())) == [False, True] or (
            api.objects[LEASE]["spec"]["holderIdentity"] in ("op-1", "op-2")
        )
        assert api.objects[LEASE]["spec"]["leaseTransitions"] == 1

    asyncio.run(scene())


def test_released_the_next_one_begins_at_once() -> None:
    async def scene() -> None:
        first, second = leaders(MemoryApi(), Clock(), Clock())
        await first.acquire()
        assert first.leading
        await first.release()
        assert await second.attempt()

    asyncio.run(scene())


def test_a_leader_that_cannot_renew_stops_before_others_begin() -> None:
    async def scene() -> None:
        api, clock = MemoryApi(), Clock()
        leader = Leader(api, "ns", "op", "op", clock, Timing(duration=15, give_up=10, renew=0.001))
        await leader.acquire()

        async def broken(*_: Any) -> Any:
            clock.now += 4
            raise ApiError("no answer")

        api.get = broken  # type: ignore[method-assign]
        with pytest.raises(LostError, match="not renewed for 10 s"):
            await leader.hold()
        assert clock.now < 15
        assert not leader.leading

    asyncio.run(scene())


def test_a_leader_whose_lease_was_taken_stops() -> None:
    async def scene() -> None:
        api = MemoryApi()
        leader = Leader(api, "ns", "op", "op", Clock(), Timing(renew=0.001))
        await leader.acquire()
        api.objects[LEASE]["spec"]["holderIdentity"] = "another"
        with pytest.raises(LostError, match="taken by another"):
            await leader.hold()

    asyncio.run(scene())


# ------------------------------------------------------------ the queue
async def run_for(queue: Queue, seconds: float) -> None:
    task = asyncio.create_task(queue.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_news_in_mid_turn_make_one_more_turn_and_never_two_at_once() -> None:
    turns: list[Key] = []
    having: list[int] = []

    async def scene() -> int:
        async def turn(key: Key) -> float | None:
            turns.append(key)
            having.append(len(turns))
            if len(turns) < 3:
                queue.wake(key)
                queue.wake(key)
            await asyncio.sleep(0.01)
            assert having == [len(turns)]
            having.clear()
            return None

        queue = Queue(turn, workers=4)
        queue.wake(A)
        queue.wake(A)
        queue.wake(B, after=1000.0)
        await run_for(queue, 0.3)
        return len(queue)

    assert asyncio.run(scene()) == 1  # B
    assert turns == [A, A, A]


def test_a_turn_that_fails_stops_nobody() -> None:
    turns: list[Key] = []

    async def turn(key: Key) -> float | None:
        turns.append(key)
        if key == A:
            raise RuntimeError("boom")
        return None

    async def scene() -> Queue:
        queue = Queue(turn, workers=1)
        queue.wake(A)
        queue.wake(B)
        await run_for(queue, 0.1)
        return queue

    queue = asyncio.run(scene())
    assert turns == [A, B]
    assert A in queue
    assert B not in queue


def test_what_is_woken_earlier_has_its_turn_earlier_and_once() -> None:
    turns: list[Key] = []

    async def turn(key: Key) -> float | None:
        turns.append(key)
        return None

    async def scene() -> None:
        queue = Queue(turn)
        queue.wake(A, after=500.0)
        queue.wake(A, after=0.0)
        queue.wake(B)
        queue.forget(B)
        await run_for(queue, 0.1)
        assert len(queue) == 0

    asyncio.run(scene())
    assert turns == [A]


# ------------------------------------------------------------ the watch
def rollout(phase: str = "", generation: int = 1, observed: int = 1, **meta: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "ns", "name": "a", "uid": "u", "generation": generation, **meta},
        "spec": {},
        "status": {"phase": phase, "observedGeneration": observed} if phase else {},
    }


@pytest.mark.parametrize(
    ("events", "woken"),
    [
        ([("ADDED", rollout())], 1),
        ([(None, rollout("Promoted"))], 0),
        ([(None, rollout("Progressing"))], 1),
        ([("MODIFIED", rollout("Promoted", generation=2))], 1),
        ([("MODIFIED", rollout("Promoted", annotations={"tidegate.io/command": "retry"}))], 1),
        ([("MODIFIED", rollout("Promoted", annotations={"tidegate.io/command": "nonsense"}))], 0),
        ([("MODIFIED", rollout("Promoted", finalizers=["tidegate.io/traffic"]))], 1),
        ([("MODIFIED", rollout("Promoted", deletionTimestamp="2026-01-01T00:00:00Z"))], 1),
        ([("DELETED", rollout("Promoted"))], 1),
        ([("MODIFIED", rollout("Progressing"))] * 5, 1),  # its own status, again and again
        ([("MODIFIED", rollout("Progressing")), ("MODIFIED", rollout("Progressing", generation=2))], 2),
    ],
)
def test_only_what_people_do_wakes_a_rollout(events: list[tuple[str | None, dict[str, Any]]], woken: int) -> None:
    calls: list[Key] = []

    class Counting(Queue):
        def wake(self, key: Key, after: float = 0.0) -> None:
            calls.append(key)
            super().wake(key, after)

    async def turn(_: Key) -> float | None:
        return None

    async def scene() -> None:
        watch = Watch(Counting(turn), Telling())
        for kind, body in events:
            await watch.seen({"type": kind, "object": body})

    asyncio.run(scene())
    assert len(calls) == woken


# ------------------------------------------------------------ endpoints
def test_health_and_metrics_are_told() -> None:
    telling = Telling()
    telling.stands(A, "Progressing")
    telling.stands(B, "Promoted")
    telling.decided(A, "TrafficChanged")
    telling.acted(A, "it is not ready")
    telling.requests["GET", "pods"] += 3
    well = {"alive": True, "ready": False}

    async def scene() -> tuple[int, int, int, str]:
        runner = await serve("127.0.0.1", 0, telling, lambda: well["alive"], lambda: well["ready"])
        port = runner.addresses[0][1]
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                alive, ready = await client.get("/healthz"), await client.get("/readyz")
                page = (await client.get("/metrics")).text
                well["alive"] = False
                return alive.status_code, ready.status_code, (await client.get("/healthz")).status_code, page
        finally:
            await runner.cleanup()

    alive, ready, dead, page = asyncio.run(scene())
    assert (alive, ready, dead) == (200, 503, 503)
    for line in (
        'tidegate_rollouts{phase="Progressing"} 1.0',
        'tidegate_rollout_decisions_total{decision="TrafficChanged"} 1.0',
        'tidegate_rollout_waiting{namespace="ns",rollout="a"} 1.0',
        'tidegate_operator_requests_total{resource="pods",verb="GET"} 3.0',
    ):
        assert line in page
    telling.stands(A, "RolledBack")
    telling.stands(B, "")
    assert telling.by_phase() == {"RolledBack": 1}


def test_every_request_of_the_operator_is_among_its_rights() -> None:
    allowed = {(verb, right.resource.plural) for right in (*WORK, *LEADING) for verb in right.verbs}
    assert {"patch", "get"} == {verb for verb, plural in allowed if plural == "seldondeployments"}
    assert not {verb for verb, _ in allowed} & {"delete", "deletecollection", "*", "bind", "escalate", "impersonate"}
    assert all(right.why for right in (*WORK, *LEADING))


def test_a_crd_that_comes_later_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    asked = 0

    class Late(MemoryApi):
        async def get(self, path: str, query: Any = None) -> Any:
            nonlocal asked
            asked += 1
            if asked < 3:
                raise ApiError("not found", 404)
            return {"items": []}

    asyncio.run(installed(Late(), (), seconds=0.001))
    assert asked == 3
    assert "--print-crd" in caplog.text

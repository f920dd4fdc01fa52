"""Rollouts on this machine with real processes: MLServer, Envoy, supervisor. What is killed with -9 costs no answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.rollout_local.machine import BODY, ERRORS, Machine
from tidegate.rollout.actions import Drop, Prepare, SetTraffic
from tidegate.rollout.observation import CANARY, STABLE
from tidegate.rollout.plan import Agreement
from tidegate.rollout.state import Phase, State
from tidegate.serving.load import Sent
from tidegate.serving.local.metrics import LocalMetrics
from tidegate.serving.local.place import Place
from tidegate.serving.local.processes import marked
from tidegate.serving.local.rollouts import replay
from tidegate.serving.local.router import LocalRouter

TIDEGATE = str(Path(sys.executable).parent / "tidegate")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("served")
    made = Machine(Place(folder / "store/serving/m"), folder / "models")
    try:
        made.serve(made.model("v1"))
        yield made
    finally:
        made.stop()
        assert marked(made.place.folder) == {}, "nothing is left behind"


def test_a_good_model_is_promoted_and_no_request_is_lost(machine: Machine) -> None:
    going, state, sent = machine.roll_out(machine.plan(machine.model("v2", factor=3.0)))

    assert state.phase is Phase.PROMOTED, state.reason
    assert sent.losses == 0, sent.lost
    live = machine.desired.stable
    assert live is not None and live.version == "v2" and machine.desired.canary is None
    assert sent.served_by.keys() == {"v1-1", "v2-2"} and live.id == "v2-2"
    assert replay(going) == state == going.state(), "the log alone gives the same state"
    machine.until(lambda s: [r.instance for r in s.replicas] == ["v2-2"])


def test_a_model_that_fails_is_rolled_back_and_its_requests_are_answered_all_the_same(machine: Machine) -> None:
    before = machine.desired.stable
    bad = machine.model("bad", body="raise RuntimeError('broken')")

    _, state, sent = machine.roll_out(machine.plan(bad))

    assert state.phase is Phase.ROLLED_BACK and "errors" in state.reason
    assert sent.losses == 0, sent.lost
    assert machine.desired.stable == before and machine.desired.canary is None
    assert not any(name.startswith("bad") for name in sent.served_by), "its failures were retried"


def test_a_killed_canary_is_rolled_back_within_seconds_and_costs_nothing(machine: Machine) -> None:
    killed: list[float] = []
    safe: list[float] = []

    def watch(state: State) -> None:
        if state.weight == 20 and state.requests > 5 and not killed:
            canary = machine.status.of(machine.desired.canary)
            os.kill(canary[0].pid, signal.SIGKILL)
            killed.append(time.monotonic())
        if killed and not safe and machine.desired.weight == 0:
            safe.append(time.monotonic())

    plan = machine.plan(machine.model("v3"), strategy={"canary": {"steps": [{"weight": 20, "minSeconds": 600}]}})
    _, state, sent = machine.roll_out(plan, watch)

    assert state.phase is Phase.ROLLED_BACK and "cannot serve" in state.reason
    assert sent.losses == 0, sent.lost
    assert killed and safe


def test_a_killed_supervisor_is_followed_by_one_that_goes_on_with_the_same_processes(machine: Machine) -> None:
    before = machine.until(lambda s: len(s.replicas) == 1 and s.replicas[0].ready)

    async def scene() -> None:
        load = machine.load()
        sending = asyncio.create_task(load.run(100, 3))
        await asyncio.sleep(0.5)
        os.kill(before.supervisor, signal.SIGKILL)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(machine.place.supervise)
        sent = await sending
        load.close()
        assert sent.losses == 0, sent.lost

    asyncio.run(scene())

    after = machine.until(lambda s: s.supervisor != before.supervisor and s.replicas and s.replicas[0].ready)
    assert (after.envoy, after.port) == (before.envoy, before.port)
    assert [r.pid for r in after.replicas] == [r.pid for r in before.replicas]


def test_copies_are_compared_and_never_answered_from_and_sessions_stick(machine: Machine) -> None:
    other = machine.model("half-wrong", body="X = X if __import__('random').random() < 0.5 else X + 1", factor=3.0)

    async def scene() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            router, metrics = LocalRouter(machine.place, client), LocalMetrics(machine.place, client, Agreement())
            await router.perform(Prepare(str(other), version="half-wrong"))
            while not (await router.routing()).ready.get(CANARY):
                await asyncio.sleep(0.1)
            await _mirror(router, metrics)
            await _stick(router, client)
            await router.perform(Drop())
            while CANARY in (await router.routing()).models:
                await asyncio.sleep(0.1)

    async def _mirror(router: LocalRouter, metrics: LocalMetrics) -> None:
        await router.perform(SetTraffic({STABLE: 100, CANARY: 0}, mirror=100))
        while (await router.routing()).mirrored != 100:
            await asyncio.sleep(0.05)
        load = machine.load()
        sent = await load.run(100, 2)
        load.close()
        await asyncio.sleep(1)
        found = {(s.role, s.measure): s.value for s in await metrics.read()}
        agreement = found[CANARY, "agreement"]
        assert sent.losses == 0 and set(sent.served_by) == {machine.desired.stable.id}  # type: ignore[union-attr]
        assert agreement.total == 200 and 50 < agreement.hits < 150  # type: ignore[union-attr]

    async def _stick(router: LocalRouter, client: httpx.AsyncClient) -> None:
        await router.perform(SetTraffic({STABLE: 50, CANARY: 50}))
        while (await router.routing()).weights.get(CANARY) != 50:
            await asyncio.sleep(0.05)
        url = f"http://127.0.0.1:{machine.status.port}/v2/models/m"
        by_session = []
        for session in range(20):
            headers = {"x-session": f"s{session}"}
            answers = [await client.post(f"{url}/infer", content=BODY, headers=headers) for _ in range(4)]
            by_session.append({a.headers["x-served-by"] for a in answers})
        assert all(len(names) == 1 for names in by_session) and len(set.union(*by_session)) == 2
        who = next(iter(by_session[0]))
        thanked = await client.post(f"{url}/feedback", json={"reward": 1.0}, headers={"x-served-by": who})
        lost = await client.post(f"{url}/feedback", json={"reward": 1.0})
        assert (thanked.status_code, lost.status_code) == (200, 400)

    asyncio.run(scene())


def test_payloads_are_logged_and_models_cannot_be_changed_through_the_proxy(machine: Machine) -> None:
    async def scene() -> Sent:
        load = machine.load()
        sent = await load.run(100, 0.5)
        load.close()
        await asyncio.sleep(0.5)  # for the log's thread
        return sent

    began = time.time()
    sent = asyncio.run(scene())
    port = machine.status.port
    with httpx.Client(trust_env=False) as client:
        unload = client.post(f"http://127.0.0.1:{port}/v2/repository/models/m/unload")
    lines = [json.loads(line) for p in machine.place.payloads.glob("*.jsonl") for line in p.read_text().splitlines()]
    logged = [line for line in lines if line["at"] >= began]

    assert unload.status_code == 403
    assert sent.losses == 0 and len(logged) == 50
    assert {json.dumps(line["inputs"]) for line in logged} == {'{"x": [0.25]}'}
    assert {line["model"] for line in logged} == {"m"}
    assert {line["outputs"]["predict"][0] for line in logged} <= {0.5, 0.75}


def test_a_model_that_does_not_load_never_gets_a_request_and_the_reason_is_told(machine: Machine) -> None:
    broken = machine.models / "broken"
    broken.mkdir()
    (broken / "Model.py").write_text("import no_such_package\n")

    _, state, sent = machine.roll_out(machine.plan(broken, deadlines={"readySeconds": 1}), rate=20)

    assert state.phase is Phase.ROLLED_BACK and sent.losses == 0
    assert "not ready within" in state.reason


def test_the_command_line_killed_in_the_middle_goes_on_where_it_was(machine: Machine) -> None:
    folder = machine.model("v6")
    spec = {
        "model": {"uri": str(folder)},
        "target": {"local": True},
        "strategy": {"canary": {"steps": [{"weight": 30, "minSeconds": 600}]}},
        "requirements": [ERRORS],
    }
    plan = folder.parent / "plan.json"
    document = {"apiVersion": "tidegate.io/v1alpha1", "kind": "ModelRollout", "metadata": {"name": "m"}, "spec": spec}
    plan.write_text(json.dumps(document))
    store = ["--store", str(machine.place.folder.parent.parent)]

    driver = subprocess.Popen([TIDEGATE, "rollout", "run", str(plan), *store], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while machine.desired.weight != 30 and time.monotonic() < deadline:
        time.sleep(0.05)
    driver.kill()
    driver.communicate()
    canary = machine.desired.canary
    told = tidegate("rollout", "abort", *store)
    again = tidegate("rollout", "run", str(plan), *store, code=1)
    history = json.loads(tidegate("rollout", "history", *store, "-o", "json"))
    served = json.loads(tidegate("serve", "status", *store, "-o", "json"))

    assert canary is not None and canary.version == "v6" and machine.desired.weight == 0
    assert "no process drives it now" in told and "RolledBack" in again
    assert [h["action"]["do"] for h in history][:2] == ["Prepare", "SetTraffic"], "begun once, not twice"
    assert ["abort"] in [h["commands"] for h in history] and history[-1]["phase"] == "RolledBack"
    assert served[0]["name"] == "m" and served[0]["roles"][0]["ready"] == 1


def tidegate(*arguments: str, code: int = 0) -> str:
    done = subprocess.run([TIDEGATE, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout


def test_two_rollouts_at_once_are_refused(machine: Machine, tmp_path: Path) -> None:
    from tidegate.serving.local.place import PlaceError
    from tidegate.serving.local.rollouts import begin

    first = begin(machine.place, machine.plan(machine.model("v4")), time.time())
    assert begin(machine.place, machine.plan(machine.model("v4")), time.time()) == first, "the same one goes on"
    with pytest.raises(PlaceError, match="is going on, by another plan"):
        begin(machine.place, machine.plan(machine.model("v5"), ERRORS), time.time())

"""ModelRollouts on a real cluster: the operator is a restricted pod with nothing but its rights, and is killed at
random in mid-rollout. TIDEGATE_E2E_KILLS says how often (3 by default).
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import shutil
import subprocess
import time
from typing import Any

import pytest

from tests.e2e.serving_place import (
    Gateway,
    going,
    has_image,
    install,
    kill_operator,
    rollout,
    serve,
    serve_class,
    start_operator,
)
from tidegate.kube.access import Access
from tidegate.kube.client import Api, ApiError, Json, Kube
from tidegate.kube.resources import EVENTS, MODEL_ROLLOUTS, SELDON_DEPLOYMENTS, VIRTUAL_SERVICES
from tidegate.operator.reading import at_rest
from tidegate.rollout.documents import PlanError, checked
from tidegate.seldon.predictors import model_of
from tidegate.seldon.seen import OWNED

pytestmark = pytest.mark.e2e
_LOG = logging.getLogger(__name__)
SERVING = os.environ.get("TIDEGATE_E2E_SERVING", "docker.io/tidegate/serving:0.1.0")
KILLS = int(os.environ.get("TIDEGATE_E2E_KILLS", "3"))
PATIENCE = 300.0 + 30.0 * KILLS
STORIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "good": ("good", "Promoted", {}),
    "bad": ("bad", "RolledBack", {}),
    "crash": ("crash", "RolledBack", {}),
    "switch": ("good", "Promoted", {"strategy": {"blueGreen": {"previewSeconds": 2, "warmSeconds": 3}}}),
}
"""Name -> (what the new model is like, how it must end, what else is asked for)."""


async def body_of(api: Api, namespace: str, name: str) -> Json:
    return await api.get(MODEL_ROLLOUTS.path(namespace, name))


async def asked(api: Api, namespace: str, name: str, body: Json) -> None:
    """kubectl apply."""
    try:
        await api.post(MODEL_ROLLOUTS.path(namespace), body)
    except ApiError as error:
        if error.status != 409:
            raise
        await api.patch(MODEL_ROLLOUTS.path(namespace, name), "merge", {"spec": {"model": body["spec"]["model"]}})


async def until_rest(api: Api, namespace: str, names: list[str], uri: str = "") -> dict[str, Json]:
    """`uri`: of the model that it must be about."""
    began = time.monotonic()
    while True:
        found = {name: await body_of(api, namespace, name) for name in names}
        if all(at_rest(body) and uri in (body["status"].get("model"), "") for body in found.values()):
            return found
        stand = {name: (body.get("status") or {}).get("message") for name, body in found.items()}
        assert time.monotonic() - began < PATIENCE, f"not at rest: {stand}"
        await asyncio.sleep(1)


async def right(api: Api, namespace: str, name: str, body: Json, uri: str, phase: str) -> None:
    """One predictor with the right model, all requests to it, nobody's hand on it, and the reason told."""
    status = body["status"]
    assert status["phase"] == phase, (name, status["message"])
    deployment = await api.get(SELDON_DEPLOYMENTS.path(namespace, name))
    (predictor,) = deployment["spec"]["predictors"]
    assert model_of(predictor) == uri, name
    assert OWNED not in deployment["metadata"].get("annotations", {})
    for _ in range(60):
        service = await api.get(VIRTUAL_SERVICES.path(namespace, name))
        if len(service["spec"]["http"][0]["route"]) == 1:
            break
        await asyncio.sleep(0.5)
    assert [t["destination"]["subset"] for t in service["spec"]["http"][0]["route"]] == ["default"]
    events = (await api.get(EVENTS.path(namespace)))["items"]
    reasons = [e["reason"] for e in events if e["involvedObject"]["name"] == name]
    assert phase in reasons, (name, reasons)


async def round_of(api: Api, namespace: str, number: int, live: dict[str, str], kills: int) -> int:
    """A new model for each SeldonDeployment, the operator killed meanwhile; gives how often."""
    asking = {name: f"test://{kind}/{number}" for name, (kind, _, _) in STORIES.items()}
    for name, (_, _, changes) in STORIES.items():
        await asked(api, namespace, name, rollout(name, asking[name], **changes))
    done = 0
    ended = asyncio.create_task(until_rest(api, namespace, list(STORIES)))
    while not ended.done():
        await asyncio.wait([ended], timeout=random.uniform(4, 20))
        if done < kills and not ended.done():
            await kill_operator(api, namespace)
            done += 1
    bodies = await ended
    for name, (_, phase, _) in STORIES.items():
        live[name] = asking[name] if phase == "Promoted" else live[name]
        await right(api, namespace, name, bodies[name], live[name], phase)
    return done


def test_rollouts_end_right_however_often_the_operator_is_killed(access: Access, namespace: str) -> None:
    async def scene() -> tuple[int, Gateway]:
        async with Kube(access, connections=32) as api:
            await install(api)
            live = dict.fromkeys(STORIES, "test://good/1")
            for name, uri in live.items():
                await serve(api, namespace, name, uri)
            async with going(api, namespace) as gateway:
                await start_operator(api, namespace)
                await routed(api, namespace, list(STORIES))
                killed, number = 0, 1
                while killed < KILLS or number == 1:
                    number += 1
                    killed += await round_of(api, namespace, number, live, KILLS - killed)
                return killed, gateway

    killed, gateway = asyncio.run(scene())
    _LOG.warning("%d kills; answered %s; lost %s", killed, dict(gateway.answered), dict(gateway.lost))
    assert killed >= KILLS
    own = sum(count for (_, predictor), count in gateway.lost.items() if predictor == "default")
    others = sum(count for (name, _), count in gateway.lost.items() if name != "crash") - own
    assert own == 0, gateway.lost
    assert others == 0, gateway.lost
    assert not any(code >= 500 for name, code in gateway.answered if name != "bad")


async def routed(api: Api, namespace: str, names: list[str], patience: float = 120) -> None:
    for _ in range(int(patience / 0.5)):
        there = (await api.get(VIRTUAL_SERVICES.path(namespace)))["items"]
        if {service["metadata"]["name"] for service in there} >= set(names):
            return
        await asyncio.sleep(0.5)
    raise AssertionError("the SeldonDeployments are not routed")


INPUT = b'{"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [1.5]}]}'


def test_a_real_model_server_is_rolled_out_by_what_it_counts_itself(access: Access, namespace: str) -> None:
    versions = {"1": "pass", "2": "pass", "3": "raise RuntimeError('broken')"}
    changes: dict[str, Any] = {"deadlines": {"readySeconds": 400, "evidenceSeconds": 120, "totalSeconds": 900}}

    async def scene() -> Gateway:
        async with Kube(access, connections=32) as api:
            if not await has_image(api, SERVING):
                pytest.skip(f"no node has the image {SERVING}: `make images`, and load it")
            await install(api)
            await serve_class(api, namespace, "served", SERVING, versions)
            async with going(api, namespace, rate=15.0, content=INPUT) as gateway:
                await start_operator(api, namespace)
                await routed(api, namespace, ["served"], patience=300)
                for version, live, phase in (("2", "2", "Promoted"), ("3", "2", "RolledBack")):
                    uri = f"/models/{version}"
                    await asked(api, namespace, "served", rollout("served", uri, **changes))
                    bodies = await until_rest(api, namespace, ["served"], uri)
                    await right(api, namespace, "served", bodies["served"], f"/models/{live}", phase)
                return gateway

    gateway = asyncio.run(scene())
    _LOG.warning("answered %s; lost %s", dict(gateway.answered), dict(gateway.lost))
    assert not gateway.lost


# ------------------------------------------------------------ the CRD, as the API server has it
BROKEN: dict[str, dict[str, Any]] = {
    "no target": {"target": {}},
    "a local target": {"target": {"local": True}},
    "two strategies": {"strategy": {"canary": {}, "shadow": {}}},
    "no strategy": {"strategy": {}},
    "steps and adaptive": {"strategy": {"canary": {"steps": [{"weight": 5}], "adaptive": {}}}},
    "two measures": {"requirements": [{"name": "a", "errorRate": True, "latency": {}, "atMost": 0.1}]},
    "no measure": {"requirements": [{"name": "a", "atMost": 0.1}]},
    "no bound": {"requirements": [{"name": "a", "errorRate": True}]},
    "two bounds": {"requirements": [{"name": "a", "errorRate": True, "atMost": 0.1, "versusStable": {"margin": 0.1}}]},
    "a bound that does not fit": {"requirements": [{"name": "a", "errorRate": True, "atLeast": 0.1}]},
    "two of a name": {"requirements": [{"name": "a", "errorRate": True, "atMost": 0.1}] * 2},
    "a bad name": {"requirements": [{"name": "A b", "errorRate": True, "atMost": 0.1}]},
    "a slice of nothing": {"requirements": [{"name": "a", "errorRate": True, "atMost": 0.1, "slice": {"equals": "x"}}]},
    "a weight of 0": {"strategy": {"canary": {"steps": [{"weight": 0}]}}},
    "a weight of 101": {"strategy": {"canary": {"steps": [{"weight": 101}]}}},
    "a digest that is none": {"model": {"uri": "x", "digest": "md5:1"}},
    "a rate of 1": {"bounds": {"falseRollback": 1}},
    "a path out of the repository": {"git": {"repository": "https://x", "path": "../y"}},
}
PYTHONS_TOO = set(BROKEN) - {"no target", "a local target", "a path out of the repository"}


@pytest.mark.parametrize("case", BROKEN)
def test_a_spec_that_cannot_be_is_refused_before_it_is_stored(access: Access, namespace: str, case: str) -> None:
    body = rollout("broken", "test://good/2", **BROKEN[case])

    async def scene() -> None:
        async with Kube(access) as api:
            await install(api)
            with pytest.raises(ApiError) as raised:
                await api.post(MODEL_ROLLOUTS.path(namespace), body)
            assert raised.value.status == 422, raised.value

    asyncio.run(scene())
    if case in PYTHONS_TOO:
        with pytest.raises(PlanError):
            checked(body["spec"])


def test_a_rollout_keeps_its_target(access: Access, namespace: str) -> None:
    async def scene() -> None:
        async with Kube(access) as api:
            await install(api)
            await api.post(MODEL_ROLLOUTS.path(namespace), rollout("keeps", "test://good/2"))
            path = MODEL_ROLLOUTS.path(namespace, "keeps")
            with pytest.raises(ApiError, match="a rollout keeps its target"):
                await api.patch(path, "merge", {"spec": {"target": {"seldonDeployment": {"name": "other"}}}})
            await api.patch(path, "merge", {"metadata": {"finalizers": None}})
            await api.delete(path)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("modelrollout.spec", ["What should be live", "How it comes live", "What a good model is", "-required-"]),
        ("modelrollout.spec.strategy", ["canary", "blueGreen", "shadow", "bandit"]),
        ("modelrollout.spec.requirements", ["Requests not answered well", "atMost", "versusStable"]),
        ("modelrollout.status", ["Where the rollout stands", "requirements", "conditions"]),
    ],
)
def test_kubectl_explains_it(access: Access, field: str, said: list[str]) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not here")

    async def ready() -> None:
        async with Kube(access) as api:
            await install(api)

    asyncio.run(ready())
    text = ""
    for _ in range(20):  # the API server publishes a new CRD's schema a little later
        done = subprocess.run(["kubectl", "explain", field], capture_output=True, text=True, check=False)
        text = " ".join(done.stdout.split())
        if all(part in text for part in said):
            return
        time.sleep(1)
    raise AssertionError(text or done.stderr)

"""The Router of a SeldonDeployment, played against every habit of Seldon Core 1.17.1."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.doubles.workloads import deployments_of
from tests.seldon.place import NEW, OLD, Place, predictor
from tidegate.kube.client import Json
from tidegate.rollout.actions import Drop, Prepare, Promote, SetTraffic
from tidegate.rollout.ports import PortError
from tidegate.seldon.router import SeldonRouter
from tidegate.seldon.seen import OWNED


def played(scene: Callable[[Place], Awaitable[Any]], *predictors: Json) -> Place:
    place = Place(*predictors)
    asyncio.run(scene(place))  # type: ignore[arg-type]
    return place


def test_a_deployment_is_not_ready_before_it_is_routed() -> None:
    async def scene(place: Place) -> None:
        await place.pass_by(10)
        early = await place.routing()
        assert early.ready == {"stable": False}
        assert early.weights == {"stable": 0}
        await place.pass_by(20)
        later = await place.routing()
        assert later.ready == {"stable": True}
        assert later.weights == {"stable": 100}  # the only route has no weight, and gets all

    played(scene)


def test_a_canary_comes_up_without_requests_and_beside_the_stable_predictor() -> None:
    async def scene(place: Place) -> None:
        name = await place.canary_at(0)
        routing = await place.routing()
        assert routing.weights == {"stable": 100, "canary": 0}
        assert routing.models == {"stable": OLD, "canary": NEW}
        stable, canary = place.spec
        assert (stable["name"], canary["name"]) == ("default", name)
        containers = [p["componentSpecs"][0]["spec"]["containers"][0] for p in (stable, canary)]
        assert containers[0]["name"] == containers[1]["name"]
        assert {"name": "metrics", "containerPort": 6000, "protocol": "TCP"} in containers[1]["ports"]
        assert canary["labels"]["version"] == name
        assert not place.workloads.restarts

    played(scene)


def test_weights_are_in_force_as_asked() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(20)
        routing = await place.routing()
        assert routing.weights == {"stable": 80, "canary": 20}
        assert not routing.foreign

    place = played(scene)
    assert place.unanswered == 0


def test_no_weight_is_sent_to_a_canary_that_is_not_ready() -> None:
    async def scene(place: Place) -> None:
        await place.pass_by(30)
        await place.router.perform(Prepare(NEW))
        await place.pass_by(3)
        await place.router.perform(SetTraffic({"stable": 50, "canary": 50}))
        assert "unavailable" in place.router.waiting
        assert [p.get("traffic") for p in place.spec] == [100, 0]

    played(scene)


def test_a_healthy_canary_loses_its_requests_before_it_goes() -> None:
    async def scene(place: Place) -> None:
        name = await place.canary_at(20)
        await place.do(Drop())
        assert [p["name"] for p in place.spec] == ["default"]
        steps = [w.get(name) for w in place.weights if name in w]
        assert steps[-1] == 0
        assert OWNED not in place.api.objects[place.path]["metadata"]["annotations"]

    place = played(scene)
    assert place.unanswered == 0


@pytest.mark.parametrize("asked", [Drop(emergency=True), Drop()], ids=["emergency", "ordinary"])
def test_a_sick_canary_goes_at_once_since_its_weight_is_frozen(asked: Drop) -> None:
    async def scene(place: Place) -> None:
        name = await place.canary_at(50)
        place.workloads.sick[name] = "CrashLoopBackOff"
        await place.pass_by(2)
        routing = await place.routing()
        assert "CrashLoopBackOff" in routing.failing["canary"]
        await place.router.perform(SetTraffic({"stable": 100, "canary": 0}))
        await place.pass_by(20)
        assert (await place.routing()).weights["canary"] == 50  # accepted, and ignored
        await place.router.perform(asked)
        await place.pass_by(1)
        assert (await place.routing()).weights == {"stable": 100}

    played(scene)


def test_a_canary_with_requests_and_without_replicas_is_failing_before_kubernetes_says_why() -> None:
    async def scene(place: Place) -> None:
        name = await place.canary_at(10)
        place.workloads.sick[name] = ""
        await place.pass_by(1)
        assert (await place.routing()).failing == {"canary": "no replica is available"}

    played(scene)


def test_a_canary_whose_image_cannot_start_is_failing_without_requests() -> None:
    async def scene(place: Place) -> None:
        await place.pass_by(30)
        await place.router.perform(Prepare("docker://nowhere/model:2"))
        name = place.spec[1]["name"]
        place.workloads.sick[name] = "ImagePullBackOff"
        await place.pass_by(5)
        assert "ImagePullBackOff" in (await place.routing()).failing["canary"]
        await place.do(Drop(emergency=True))
        assert len(place.spec) == 1

    played(scene)


def test_a_predictor_with_no_replicas_is_told_and_stops_weights() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(10)
        await place.edit(0, replicas=0)
        await place.router.perform(SetTraffic({"stable": 50, "canary": 50}))
        assert place.router.waiting == "no more requests to the canary: predictor default has replicas: 0"

    played(scene)


@pytest.mark.parametrize("start", [5, 50, 100])
def test_promotion_changes_the_stable_predictor_in_place_and_loses_nothing(start: int) -> None:
    async def scene(place: Place) -> None:
        name = await place.canary_at(start)
        place.weights.clear()
        await place.do(Promote(NEW, version="2"))
        routing = await place.routing()
        assert routing.weights == {"stable": 100}
        assert routing.models == {"stable": NEW}
        assert [p["name"] for p in place.spec] == ["default"]
        assert place.spec[0]["annotations"]["version"] == "2"
        assert {"default": 0, name: 100} in [{"default": w.get("default"), name: w.get(name)} for w in place.weights]
        assert place.workloads.restarts == {"flights-default-0-classifier": 1}
        assert OWNED not in place.api.objects[place.path]["metadata"]["annotations"]

    place = played(scene)
    assert place.unanswered == 0


def test_promotion_never_lets_the_stable_predictor_answer_with_both_models() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(30)
        promote = Promote(NEW)
        for _ in range(60):
            await place.router.perform(promote)
            await place.pass_by(1)
            seen = await place.seen()
            assert seen.ready(seen.stable) or not seen.weight(seen.stable)

    played(scene)


def test_promotion_goes_on_where_the_canary_dies_meanwhile() -> None:
    async def scene(place: Place) -> None:
        name = await place.canary_at(50)
        for _ in range(3):
            await place.router.perform(Promote(NEW))
            await place.pass_by(1)
        place.workloads.sick[name] = "CrashLoopBackOff"
        await place.do(Promote(NEW))
        assert (await place.routing()).models == {"stable": NEW}

    place = played(scene)
    assert place.unanswered < place.workloads.start  # until a pod of the stable predictor is there: weights are frozen


def test_the_same_model_again_waits_until_its_old_deployment_is_gone() -> None:
    async def scene(place: Place) -> None:
        name = await place.canary_at(0)
        await place.do(Drop())
        await place.router.perform(Prepare(NEW))
        assert "still ends" in place.router.waiting
        await place.do(Prepare(NEW))
        assert place.spec[1]["name"] == name
        states = [body["status"]["state"] for _, path, body in place.api.log if path.endswith("/status")]
        assert "Failed" not in states

    played(scene)


def test_another_model_takes_the_place_of_a_canary_that_has_requests() -> None:
    async def scene(place: Place) -> None:
        first = await place.canary_at(40)
        await place.do(Prepare("s3://models/flights/3"))
        assert len(place.spec) == 2
        assert place.spec[1]["name"] != first
        assert place.spec[1]["traffic"] == 0

    place = played(scene)
    assert place.unanswered == 0


def test_a_shadow_is_mirrored_and_never_answers() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(0)
        await place.do(SetTraffic({"stable": 100, "canary": 0}, mirror=40))
        await place.until_ready()
        routing = await place.routing()
        assert routing.mirrored == 40
        assert routing.weights == {"stable": 100, "canary": 0}

    played(scene)


def test_a_shadow_becomes_a_canary_by_a_restart_that_no_request_sees() -> None:
    async def scene(place: Place) -> None:
        name = await place.canary_at(0)
        await place.do(SetTraffic({"stable": 100, "canary": 0}, mirror=100))
        await place.until_ready()
        await place.do(SetTraffic({"stable": 90, "canary": 10}))
        assert place.workloads.restarts[f"flights-{name}-0-classifier"] == 2
        routing = await place.routing()
        assert (routing.weights, routing.mirrored) == ({"stable": 90, "canary": 10}, 0)

    place = played(scene)
    assert place.unanswered == 0


def test_a_shadow_is_promoted() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(0)
        await place.do(SetTraffic({"stable": 100, "canary": 0}, mirror=100))
        await place.do(Promote(NEW))
        assert (await place.routing()).models == {"stable": NEW}

    place = played(scene)
    assert place.unanswered == 0


@pytest.mark.parametrize(
    ("weights", "mirror", "expected"),
    [
        ({"stable": 120, "canary": -20}, 0, "sum to 100"),
        ({"stable": 50, "canary": 40}, 0, "sum to 100"),
        ({"stable": 90, "canary": 10}, 10, "found both"),
    ],
)
def test_weights_that_seldon_would_take_wrongly_are_refused(
    weights: dict[str, int], mirror: int, expected: str
) -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(0)
        with pytest.raises(PortError, match=expected) as raised:
            await place.router.perform(SetTraffic(weights, mirror))
        assert not raised.value.again

    played(scene)


def test_a_patch_is_refused_where_somebody_was_faster() -> None:
    async def scene(place: Place) -> None:
        await place.pass_by(30)
        reading = place.api.get

        async def slow(path: str, query: Any = None) -> Json:
            answer = await reading(path, query)
            if path == place.path:
                await place.edit(0, replicas=3)
            return answer

        place.api.get = slow  # type: ignore[method-assign]
        with pytest.raises(PortError, match="somebody changed it") as raised:
            await place.router.perform(Prepare(NEW))
        assert raised.value.again
        assert len(place.spec) == 1

    played(scene)


def test_nothing_is_patched_that_is_as_asked() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(20)
        place.api.log.clear()
        for _ in range(3):
            await place.router.perform(SetTraffic({"stable": 80, "canary": 20}))
            await place.pass_by(1)
        assert [path for _, path, _ in place.api.log if not path.endswith("/status")] == []

    played(scene)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            [("replace", "0/traffic", 50), ("replace", "1/traffic", 50)],
            "traffic of predictor default is 50, .*left 80",
        ),
        ([("replace", "0/traffic", 100), ("add", "1/shadow", True)], "traffic of predictor default is 100"),
        ([("add", "1/shadow", True), ("replace", "0/traffic", 100)], "the rollout left 80"),
        ([("remove", "1", None), ("replace", "0/traffic", 100)], "predictor canary-.* was removed|default is 100"),
        ([("add", "0/graph/modelUri", "s3://else")], "model of predictor default is s3://else"),
    ],
)
def test_a_persons_edit_is_told(edit: list[tuple[str, str, Any]], told: str) -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(20)
        operations = [{"op": op, "path": f"/spec/predictors/{where}", "value": value} for op, where, value in edit]
        await place.api.patch(place.path, "json", operations)
        assert re.search(told, (await place.routing()).foreign)

    played(scene)


def test_who_edited_is_told_where_the_api_server_knows() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(20)
        await place.edit(0, graph={"name": "classifier", "type": "MODEL", "modelUri": "s3://else"})
        entry = {"manager": "kubectl-edit", "time": "2026-11-27T12:00:00Z", "fieldsV1": {"f:spec": {}}}
        place.api.objects[place.path]["metadata"]["managedFields"] = [entry]
        assert (await place.routing()).foreign.endswith("(by kubectl-edit at 2026-11-27T12:00:00Z)")

    played(scene)


def test_another_rollout_is_told() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(20)
        other = SeldonRouter(place.api, "models", "flights", owner="another")
        assert "another rollout (uid-of-rollout)" in (await other.routing()).foreign

    played(scene)


def test_a_predictor_of_somebody_else_is_told() -> None:
    second = predictor(name="second", traffic=50)

    async def scene(place: Place) -> None:
        await place.pass_by(30)
        assert "second is not the rollout's" in (await place.routing()).foreign

    played(scene, predictor(traffic=50), second)


def test_what_cannot_be_found_is_said_with_what_to_do() -> None:
    async def scene(place: Place) -> None:
        del place.api.objects[place.path]
        with pytest.raises(PortError, match="no SeldonDeployment models/flights: create it"):
            await place.routing()

    played(scene)


def test_an_api_server_that_does_not_answer_is_asked_again() -> None:
    async def scene(place: Place) -> None:
        place.api.fail_next = [503]
        with pytest.raises(PortError) as raised:
            await place.routing()
        assert raised.value.again

    played(scene)


def test_no_deployment_is_replaced_when_a_canary_comes_and_goes() -> None:
    async def scene(place: Place) -> None:
        await place.canary_at(50)
        await place.do(Drop())
        assert len(deployments_of(place.api, "default")) == 1
        assert "flights-default-0-classifier" not in place.workloads.restarts

    played(scene)

"""What should be after each of a rollout's actions, and what Envoy is told then."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tidegate.rollout.actions import Drop, Prepare, Promote, SetTraffic
from tidegate.serving.local import envoy
from tidegate.serving.local.desired import Desired, Instance, Replica, Runtime, Status, new_instance, performed, weights

A = Instance("a-1", "/models/a", "sha256:aa", "a", 2)
LIVE = Desired("m", Runtime("/env/bin/python"), stable=A, made=1)
PREPARE = Prepare("/models/b", "sha256:bb", "b")
TRIED = performed(performed(LIVE, PREPARE), SetTraffic({"stable": 75, "canary": 25}, mirror=10))


def canary(desired: Desired) -> Instance:
    assert desired.canary is not None
    return desired.canary


def test_a_prepared_model_gets_an_instance_without_requests() -> None:
    found = performed(LIVE, PREPARE)

    assert canary(found) == Instance("b-2", "/models/b", "sha256:bb", "b", 1)
    assert weights(found) == {"stable": 100, "canary": 0} and found.stable == A


def test_promotion_makes_the_canary_stable_and_keeps_the_old_one_for_a_while() -> None:
    found = performed(TRIED, Promote("/models/b", "sha256:bb", "b"))

    assert found.stable == replace(canary(TRIED), replicas=2) and found.canary is None
    assert found.retiring == A and weights(found) == {"stable": 100} and found.mirror == 0


def test_what_is_dropped_gets_no_requests_and_no_copies() -> None:
    found = performed(TRIED, Drop(emergency=True))

    assert found.canary is None and (found.weight, found.mirror) == (0, 0) and found.stable == A


@pytest.mark.parametrize(
    ("before", "action"),
    [
        (performed(LIVE, PREPARE), PREPARE),
        (TRIED, SetTraffic({"stable": 75, "canary": 25}, mirror=10)),
        (performed(TRIED, Promote("/models/b")), Promote("/models/b")),
        (LIVE, Drop()),
        (LIVE, SetTraffic({"stable": 100})),
        (TRIED, Promote("/models/another")),
    ],
)
def test_the_same_again_changes_nothing(before: Desired, action: Any) -> None:
    assert performed(before, action) == before


def test_another_version_of_the_candidate_takes_its_place_without_its_requests() -> None:
    found = performed(TRIED, Prepare("/models/b", "sha256:cc", "b"))

    assert canary(found).id == "b-3" and (found.weight, found.mirror) == (0, 0)


def test_ids_are_never_used_twice_and_fit_envoys_names() -> None:
    desired, first = new_instance(LIVE, "/m/x", "", "V1.2_beta", 1)
    desired, second = new_instance(desired, "/m/x", "", "V1.2_beta", 1)

    assert first.id != second.id and first.id == "v1-2-beta-2"


def test_what_should_be_survives_the_file() -> None:
    assert Desired.decode(json.loads(json.dumps(TRIED.encode()))) == TRIED
    status = Status(1, 2, 3, 4, (Replica("a-1", 0, 5, 6, 7, 8, ready=True),), "x")
    assert Status.decode(json.loads(json.dumps(status.encode()))) == status
    with pytest.raises(ValueError, match="format 99"):
        Desired.decode(TRIED.encode() | {"format": 99})


# ------------------------------------------------------------ Envoy
def replica(instance: str, number: int, http: int) -> Replica:
    return Replica(instance, number, 1, http, http + 1, http + 2, ready=True)


REPLICAS = (replica("a-1", 0, 100), replica("a-1", 1, 200), replica("b-2", 0, 300))


def ports(assignment: dict[str, Any]) -> dict[int, list[int]]:
    """Priority -> ports."""
    (resource,) = assignment["resources"]
    return {
        group["priority"]: [e["endpoint"]["address"]["socket_address"]["port_value"] for e in group["lb_endpoints"]]
        for group in resource["endpoints"]
    }


def routes(desired: Desired) -> dict[str, Any]:
    return envoy.routes(desired)["resources"][0]["virtual_hosts"][0]  # type: ignore[no-any-return]


def test_a_canary_has_the_stable_model_standing_by_but_not_for_copies() -> None:
    files = envoy.endpoints(TRIED, REPLICAS)

    assert ports(files["endpoints-b-2.json"]) == {0: [300], 1: [100, 200]}
    assert ports(files["endpoints-b-2-mirror.json"]) == {0: [300]}
    assert ports(files["endpoints-b-2-grpc.json"]) == {0: [301], 1: [101, 201]}
    assert ports(files["endpoints-a-1.json"]) == {0: [100, 200]}


def test_a_promoted_model_and_the_old_one_stand_by_for_each_other() -> None:
    files = envoy.endpoints(performed(TRIED, Promote("/models/b")), REPLICAS)

    assert ports(files["endpoints-b-2.json"]) == {0: [300], 1: [100, 200]}
    assert ports(files["endpoints-a-1.json"]) == {0: [100, 200], 1: [300]}


def test_what_is_going_and_has_no_process_left_has_the_stable_model_standing_by() -> None:
    going = replace(LIVE, retiring=Instance("b-2", ""))

    assert ports(envoy.endpoints(going, REPLICAS[:2])["endpoints-b-2.json"]) == {0: [], 1: [100, 200]}


def test_each_route_names_clusters_that_there_are() -> None:
    for desired in (LIVE, TRIED, performed(TRIED, Promote("/models/b")), replace(LIVE, stable=None)):
        known = {c["name"] for c in envoy.clusters(desired, "/xds")["resources"]}
        named = json.dumps(envoy.routes(desired))
        used = {part.split('"')[0] for part in named.split('"cluster": "')[1:]}
        used |= {c["name"] for r in routes(desired)["routes"] for c in _weighted(r)}
        assert used <= known


def _weighted(route: dict[str, Any]) -> list[dict[str, Any]]:
    return route.get("route", {}).get("weighted_clusters", {}).get("clusters", [])  # type: ignore[no-any-return]


def test_what_is_in_force_is_read_back_from_envoys_dump() -> None:
    dump = {"configs": [{"route_config": {"virtual_hosts": [routes(TRIED)]}}]}

    assert envoy.in_force(dump) == ({"b-2": 25, "a-1": 75}, 10)
    assert envoy.in_force({"configs": []}) == ({}, 0)


def test_nobody_outside_may_load_or_unload_models() -> None:
    first = [r["match"].get("prefix") for r in routes(TRIED)["routes"]]

    refused = next(r for r in routes(TRIED)["routes"] if r["match"].get("prefix") == "/v2/repository")
    assert refused["direct_response"]["status"] == 403
    assert first.index("/v2/repository") < first.index("/v2/")


def test_latency_bounds_are_whole_milliseconds_that_ascend() -> None:
    assert list(envoy.MILLISECONDS) == sorted(set(envoy.MILLISECONDS)) and envoy.MILLISECONDS[0] == 1
    assert all(
        b == int(b) and b / a < 1.15 for a, b in zip(envoy.MILLISECONDS[8:], envoy.MILLISECONDS[9:], strict=False)
    )

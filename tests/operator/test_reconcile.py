"""A ModelRollout's life, and what people, other operators and `kill -9` may do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.operator.cluster import KEY, PATH, Cluster, KillingApi
from tests.seldon.place import NEW, OLD
from tidegate.kube.client import ApiError
from tidegate.operator.reading import FINALIZER, at_rest
from tidegate.operator.remembering import Pace
from tidegate.operator.rights import WORK
from tidegate.rollout.actions import Record
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.ports import PortError
from tidegate.seldon.seen import OWNED


def played(scene: Callable[[Cluster], Awaitable[Any]], cluster: Cluster | None = None) -> Cluster:
    cluster = cluster or Cluster()

    async def play() -> None:
        await cluster.place.pass_by(30)
        await scene(cluster)

    asyncio.run(play())
    return cluster


def live(cluster: Cluster) -> list[str]:
    """The models that the SeldonDeployment's predictors serve."""
    found = []
    for predictor in cluster.place.spec:
        env = predictor["componentSpecs"][0]["spec"]["containers"][0]["env"]
        found.append(next(v["value"] for v in env if v["name"] == "MODEL_URI"))
    return found


def right(cluster: Cluster, uri: str, phase: str) -> None:
    """What a right end looks like: one predictor, the right model, nobody's hand on either object."""
    assert cluster.phase == phase, cluster.status
    assert live(cluster) == [uri]
    assert cluster.place.spec[0].get("traffic", 100) == 100
    assert OWNED not in (cluster.api.objects[cluster.place.path]["metadata"].get("annotations") or {})
    assert FINALIZER not in (cluster.body["metadata"].get("finalizers") or [])
    assert at_rest(cluster.body)


async def good(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.ended()


async def bad(cluster: Cluster) -> None:
    cluster.traffic.errors[NEW] = 0.4
    await cluster.apply()
    await cluster.ended()


# ------------------------------------------------------------ the ways it ends
def test_a_good_model_is_promoted_and_no_request_is_lost() -> None:
    cluster = played(good)
    right(cluster, NEW, "Promoted")
    assert cluster.place.unanswered == 0
    reasons = [reason for reason, _ in cluster.events]
    assert reasons == ["Preparing", "Progressing", "TrafficChanged", "Promoting", "Promoted"]
    assert cluster.condition("Promoted")["status"] == "True"


def test_a_bad_model_goes_back_and_the_event_says_why() -> None:
    cluster = played(bad)
    right(cluster, OLD, "RolledBack")
    said = dict(cluster.events)["RollingBack"]
    assert "errors: 40" in said
    assert "at most 5 %" in said
    assert cluster.condition("Degraded")["status"] == "True"
    assert cluster.traffic.served[NEW] < 3000


def test_a_model_that_dies_is_dropped_at_once() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until("Progressing")
        await cluster.pass_by(4)
        cluster.place.workloads.sick[cluster.place.spec[1]["name"]] = "CrashLoopBackOff"
        died = cluster.place.now
        while len(cluster.place.spec) == 2:
            await cluster.pass_by(1)
        assert cluster.place.now - died <= 6
        await cluster.ended()

    cluster = played(scene)
    right(cluster, OLD, "RolledBack")
    assert "CrashLoopBackOff" in cluster.status["message"]


def test_silence_is_no_evidence_and_goes_back_at_the_deadline() -> None:
    async def scene(cluster: Cluster) -> None:
        cluster.traffic.silent = True
        await cluster.apply()
        await cluster.ended()

    cluster = played(scene)
    right(cluster, OLD, "RolledBack")
    assert "no new evidence" in cluster.status["message"]


def test_the_model_that_is_live_needs_no_rollout() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply(model={"uri": OLD})
        await cluster.ended()

    cluster = played(scene)
    right(cluster, OLD, "Promoted")
    assert not cluster.api.log or all(
        "seldondeployments" not in path for _, path, _ in cluster.api.log if "status" not in path
    )


def test_the_next_model_starts_the_next_rollout() -> None:
    async def scene(cluster: Cluster) -> None:
        await good(cluster)
        await cluster.apply(model={"uri": "s3://models/flights/3"})
        await cluster.ended()

    right(played(scene), "s3://models/flights/3", "Promoted")


def test_another_model_in_mid_rollout_goes_back_first_and_is_then_tried() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until("Progressing")
        await cluster.pass_by(8)
        await cluster.apply(model={"uri": "s3://models/flights/3"})
        await cluster.ended()

    cluster = played(scene)
    right(cluster, "s3://models/flights/3", "Promoted")
    assert cluster.place.unanswered == 0


# ------------------------------------------------------------ kill -9
@pytest.mark.parametrize("story", [good, bad], ids=["good", "bad"])
def test_killed_at_any_write_it_ends_the_same(story: Callable[[Cluster], Awaitable[None]]) -> None:
    whole = played(story)
    ends = (live(whole), whole.phase)
    reached = 0
    for at in range(1, 60):
        cluster = Cluster()
        killing: Any = KillingApi(cluster.api, at)
        cluster.operator._api = killing
        played(story, cluster)
        if not cluster.kills:
            break
        reached += 1
        assert (live(cluster), cluster.phase) == ends
        right(cluster, *((NEW, "Promoted") if story is good else (OLD, "RolledBack")))
        assert cluster.place.unanswered == 0
        names = [e["metadata"]["name"] for e in cluster.api.of_kind("Event")]
        assert len(set(names)) == len(names)
    assert reached >= 10


def test_killed_every_few_seconds_it_still_ends_right() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        for second in range(600):
            await cluster.pass_by(1)
            if second % 4 == 3:
                cluster.operator = cluster.start()
                if cluster.after is not None:
                    cluster.after = 0.0
            if cluster.after is None and cluster.phase == "Promoted":
                return

    right(played(scene), NEW, "Promoted")


def test_two_operators_at_once_do_no_harm() -> None:
    async def scene(cluster: Cluster) -> None:
        other = cluster.start()
        await cluster.apply()
        for _ in range(300):
            await cluster.pass_by(1)
            await other.turn(KEY)
        assert cluster.phase == "Promoted"

    cluster = played(scene)
    right(cluster, NEW, "Promoted")
    assert cluster.place.unanswered == 0
    reasons = [reason for reason, _ in cluster.events]
    assert reasons.count("Promoted") == 1


# ------------------------------------------------------------ people
def test_a_persons_edit_is_held_told_and_not_undone() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until("Progressing")
        await cluster.pass_by(6)
        await cluster.api.patch(
            cluster.place.path,
            "json",
            [
                {"op": "replace", "path": "/spec/predictors/0/traffic", "value": 95},
                {"op": "replace", "path": "/spec/predictors/1/traffic", "value": 5},
            ],
        )
        await cluster.pass_by(120)
        assert [p["traffic"] for p in cluster.place.spec] == [95, 5]
        assert cluster.condition("Foreign")["status"] == "True"
        assert any(reason == "ForeignChange" and "the rollout left" in said for reason, said in cluster.events)
        await cluster.say("abort")
        await cluster.ended()

    right(played(scene), OLD, "RolledBack")


def test_a_breach_goes_back_even_where_a_person_edited() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until("Progressing")
        await cluster.pass_by(3)
        await cluster.place.edit(1, graph={"name": "classifier", "type": "MODEL", "parameters": []})
        cluster.traffic.errors[NEW] = 0.6
        await cluster.ended()

    right(played(scene), OLD, "RolledBack")


def test_paused_by_the_spec_nothing_moves_and_then_it_goes_on() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until("Progressing")
        await cluster.pass_by(4)
        await cluster.apply(paused=True)
        await cluster.pass_by(200)
        assert [p["traffic"] for p in cluster.place.spec] == [80, 20]
        assert "paused" in cluster.status["waiting"]
        await cluster.apply(paused=False)
        await cluster.ended()

    right(played(scene), NEW, "Promoted")


@pytest.mark.parametrize(("command", "uri", "phase"), [("promote", NEW, "Promoted"), ("abort", OLD, "RolledBack")])
def test_a_persons_command_is_heard_once(command: str, uri: str, phase: str) -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply(requirements=[])
        await cluster.until("Progressing")
        await cluster.say(command)
        await cluster.ended()
        assert "tidegate.io/command" not in cluster.body["metadata"]["annotations"]

    right(played(scene), uri, phase)


def test_pause_and_resume_by_command() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until("Progressing")
        await cluster.say("pause")
        await cluster.pass_by(100)
        assert cluster.phase == "Progressing"
        await cluster.say("resume")
        await cluster.ended()
        reasons = [reason for reason, _ in cluster.events]
        assert "Paused" in reasons
        assert "Resumed" in reasons

    right(played(scene), NEW, "Promoted")


def test_a_model_that_went_back_is_tried_again_when_a_person_says_so() -> None:
    async def scene(cluster: Cluster) -> None:
        await bad(cluster)
        await cluster.pass_by(100)
        assert cluster.phase == "RolledBack"
        cluster.traffic.errors[NEW] = 0.0
        await cluster.say("retry")
        await cluster.ended()

    right(played(scene), NEW, "Promoted")


# ------------------------------------------------------------ deletion
@pytest.mark.parametrize("phase", ["Preparing", "Progressing", "Promoting"])
def test_deleted_in_mid_rollout_it_leaves_traffic_safe(phase: str) -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until(phase)
        await cluster.pass_by(3)
        await cluster.api.delete(PATH)
        assert PATH in cluster.api.objects
        cluster.after = 0.0
        for _ in range(60):
            await cluster.pass_by(1)
            if PATH not in cluster.api.objects:
                break
        assert PATH not in cluster.api.objects
        assert len(cluster.place.spec) == 1
        assert cluster.place.spec[0]["traffic"] == 100

    played(scene)


def test_deleted_after_its_target_it_goes() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until("Progressing")
        del cluster.api.objects[cluster.place.path]
        await cluster.api.delete(PATH)
        assert await cluster.operator.turn(KEY) is None
        assert PATH not in cluster.api.objects

    played(scene)


def test_at_rest_it_is_deleted_without_the_operator() -> None:
    async def scene(cluster: Cluster) -> None:
        await good(cluster)
        await cluster.api.delete(PATH)
        assert PATH not in cluster.api.objects
        assert await cluster.operator.turn(KEY) is None

    assert played(scene).telling.by_phase() == {}


# ------------------------------------------------------------ what cannot be
def test_a_spec_that_cannot_be_used_is_told_once_and_costs_nothing() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply(requirements=[{"name": "errors", "errorRate": True}])
        await cluster.ended()
        asked = sum(cluster.api.asked.values())
        cluster.after = None
        await cluster.pass_by(50)
        assert at_rest(cluster.body)
        assert cluster.phase == "Invalid"
        assert "exactly one of atMost, atLeast, versusStable" in cluster.status["message"]
        assert asked > 0

    cluster = played(scene)
    assert [reason for reason, _ in cluster.events] == ["Invalid"]
    assert live(cluster) == [OLD]


def test_a_spec_that_becomes_unusable_in_mid_rollout_takes_the_model_back() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until("Progressing")
        await cluster.pass_by(4)
        await cluster.apply(requirements=[{"name": "errors", "errorRate": True}])
        await cluster.ended()
        assert cluster.phase == "Invalid"
        assert live(cluster) == [OLD]
        await cluster.apply(model={"uri": "s3://models/flights/3"})
        await cluster.ended()

    right(played(scene), "s3://models/flights/3", "Promoted")


def test_a_state_of_another_version_is_left_alone_until_a_person_says_abort() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        await cluster.until("Progressing")
        await cluster.pass_by(3)
        cluster.body["status"]["state"]["version"] = 99
        cluster.operator = cluster.start()
        await cluster.pass_by(30)
        assert len(cluster.place.spec) == 2
        assert "version 99" in cluster.status["message"]
        await cluster.say("abort")
        await cluster.pass_by(20)
        assert live(cluster)[0] == OLD

    played(scene)


def test_a_target_that_is_not_there_is_said_and_waited_for() -> None:
    async def scene(cluster: Cluster) -> None:
        there = cluster.api.objects.pop(cluster.place.path)
        await cluster.apply()
        assert await cluster.operator.turn(KEY)
        assert "no SeldonDeployment models/flights: create it" in cluster.status["waiting"]
        cluster.api.objects[cluster.place.path] = there
        await cluster.ended()

    right(played(scene), NEW, "Promoted")


def test_an_api_server_that_fails_now_and_then_loses_nothing() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        for second in range(500):
            await cluster.place.pass_by(1)
            await cluster.traffic.second()
            cluster.api.fail_next = [500] if second % 3 == 0 else []
            await cluster.operator.turn(KEY)
            cluster.api.fail_next = []
            if cluster.phase == "Promoted" and at_rest(cluster.body):
                return

    right(played(scene), NEW, "Promoted")


# ------------------------------------------------------------ Git
class Book:
    """A recorder that can be made to fail."""

    def __init__(self) -> None:
        self.verdicts: list[Record] = []
        self.broken = False

    async def record(self, plan: RolloutPlan, namespace: str, name: str, verdict: Record, stable: str) -> None:
        if self.broken:
            raise PortError("the repository does not answer")
        self.verdicts.append(verdict)


GIT = {"repository": "https://git/models", "path": "flights.yaml"}


@pytest.mark.parametrize(("story", "outcome"), [(0.0, "promoted"), (0.4, "rolledBack")])
def test_the_verdict_is_written_once(story: float, outcome: str) -> None:
    book = Book()

    async def scene(cluster: Cluster) -> None:
        cluster.traffic.errors[NEW] = story
        await cluster.apply(git=GIT)
        await cluster.ended()

    cluster = played(scene, Cluster(book))
    assert [(v.outcome, v.uri) for v in book.verdicts] == [(outcome, NEW)]
    assert cluster.condition("Recorded")["status"] == "True"


def test_no_promotion_before_git_has_it() -> None:
    book = Book()
    book.broken = True

    async def scene(cluster: Cluster) -> None:
        await cluster.apply(git=GIT)
        await cluster.until("Recording")
        await cluster.pass_by(60)
        assert live(cluster) == [OLD, NEW]
        assert ("NotRecorded", "the repository does not answer") in cluster.events
        book.broken = False
        await cluster.ended()

    right(played(scene, Cluster(book)), NEW, "Promoted")


# ------------------------------------------------------------ thrift
def test_the_state_is_written_when_something_is_decided_and_now_and_then() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply(strategy={"canary": {"steps": [{"weight": 20, "minSeconds": 400}]}})
        await cluster.until("Progressing")
        await cluster.pass_by(20)
        cluster.api.log.clear()
        await cluster.pass_by(60)
        writes = [path for _, path, _ in cluster.api.log if "modelrollouts" in path]
        assert 2 <= len(writes) <= 5

    played(scene, Cluster(pace=Pace(interval=5.0, keep=15.0)))


def test_a_turn_asks_for_five_things() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply(strategy={"canary": {"steps": [{"weight": 20, "minSeconds": 400}]}})
        await cluster.until("Progressing")
        await cluster.pass_by(20)
        cluster.api.asked.clear()
        await cluster.operator.turn(KEY)
        assert sum(cluster.api.asked.values()) <= 6

    played(scene)


def test_a_conflict_is_no_trouble() -> None:
    async def scene(cluster: Cluster) -> None:
        await cluster.apply()
        cluster.api.fail_next = []
        patching = cluster.api.patch

        async def refused(path: str, kind: str, body: Any) -> Any:
            if path.endswith("/status") and "modelrollouts" in path:
                raise ApiError("conflict", 409)
            return await patching(path, kind, body)

        cluster.api.patch = refused  # type: ignore[method-assign]
        assert await cluster.operator.turn(KEY) == 0.2
        cluster.api.patch = patching  # type: ignore[method-assign]
        await cluster.ended()

    right(played(scene), NEW, "Promoted")


class Guarded:
    """Lets through what the operator's RBAC would let through."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self._allowed = {(verb, right.rule["resources"][0]) for right in WORK for verb in right.verbs}

    def __getattr__(self, name: str) -> Any:
        wrapped = getattr(self._api, name)

        async def asked(path: str, *args: Any) -> Any:
            pieces = path.strip("/").split("/")
            resource = pieces[pieces.index("namespaces") + 2 :]
            part = f"{resource[0]}/{resource[2]}" if len(resource) > 2 else resource[0]
            verb = {"get": "get" if len(resource) > 1 else "list", "post": "create"}.get(name, name)
            assert (verb, part) in self._allowed, f"{verb} {part} is not among the operator's rights"
            return await wrapped(path, *args)

        return asked


@pytest.mark.parametrize("story", [good, bad], ids=["good", "bad"])
def test_a_rollout_needs_no_more_than_the_operators_rights(story: Callable[[Cluster], Awaitable[None]]) -> None:
    cluster = Cluster()
    cluster.operator._api = Guarded(cluster.api)  # type: ignore[assignment]
    played(story, cluster)
    assert cluster.phase in ("Promoted", "RolledBack")

"""Workflows that a real Argo ran (recorded), read as runs: what a local run of the same pipeline says of itself."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.argo_follow import shapes
from tests.cli.conftest import Tidegate
from tidegate.argo.follow import observe
from tidegate.argo.follow_nodes import cached_keys
from tidegate.argo.follow_others import run_of
from tidegate.cluster.observed import ClusterError, Observed
from tidegate.graph.build import build
from tidegate.graph.model import Graph
from tidegate.local.load import load_pipeline
from tidegate.spec import load
from tidegate.store.records import RunRecord, TaskRecord

RECORDED = Path(__file__).with_name("recorded")
INSIDE = "exit-handler-1/"


def workflow(name: str) -> dict[str, Any]:
    found = json.loads((RECORDED / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def run(name: str) -> RunRecord:
    return run_of(workflow(name), "here")


@pytest.fixture(scope="module")
def graph() -> Graph:
    return build(load(load_pipeline(shapes.shapes).spec))


def seen(name: str, graph: Graph | None) -> Observed:
    return observe(run(name), workflow(name), graph)


def by_path(observed: Observed) -> dict[str, TaskRecord]:
    return {task.path: task for task in observed.tasks}


# ---------------------------------------------------------------- as local runs
@pytest.mark.parametrize(("name", "given"), [("succeeded", []), ("failed", ["-p", "least=5"])])
def test_the_record_is_the_one_that_a_local_run_leaves(
    tidegate: Tidegate, graph: Graph, name: str, given: list[str]
) -> None:
    local = tidegate("run", Path(shapes.__file__), "-o", "json", *given).json
    there = seen(name, graph)
    good = {"cached": "succeeded"}
    tasks = by_path(there)
    assert set(tasks) == set(local["tasks"])
    for path, task in local["tasks"].items():
        same = tasks[path]
        assert (same.kind, good.get(same.state, same.state)) == (task["kind"], task["state"]), path
        assert same.error == task["error"], path
        if same.kind == "task" and same.state != "skipped":
            assert (same.component, same.attempt) == (task["component"], task["attempt"]), path
            assert dict(same.parameters) == task["parameters"], path
            assert dict(same.output_parameters) == {k: v for k, v in task["outputs"].items() if k == "Output"}, path
            assert {name: found[0].digest for name, found in same.outputs.items()} == {
                name: found["digest"] for name, found in task["outputs"].items() if name != "Output"
            }, path
            assert {name: found[0].digest for name, found in same.inputs.items()} == {
                name: found["digest"] for name, found in task["inputs"].items()
            }, path
    assert (there.state, there.error) == (local["state"], local["error"])
    assert there.outputs["parameters"] == local["outputs"]


def test_artifacts_are_recorded_with_their_place_content_and_metadata(graph: Graph) -> None:
    (made,) = by_path(seen("succeeded", graph))["make"].outputs["data"]
    assert made.uri.startswith("s3://workflows/shapes/shapes-")
    assert made.uri.endswith("/data")
    assert (made.type, dict(made.metadata)) == ("system.Dataset", {"rows": 3})


# ---------------------------------------------------------------- states
def test_a_running_task_has_begun_and_not_ended(graph: Graph) -> None:
    observed = seen("running", graph)
    task = by_path(observed)[f"{INSIDE}wait"]
    assert (observed.state, observed.ended) == ("running", None)
    assert (task.state, task.ended) == ("running", None)
    assert task.started is not None


def test_a_stopped_run_is_cancelled_and_so_is_what_was_stopped(graph: Graph) -> None:
    observed = seen("cancelled", graph)
    tasks = by_path(observed)
    assert (observed.state, observed.error) == ("cancelled", "")
    assert {path for path, task in tasks.items() if task.state == "cancelled"} == {
        f"{INSIDE}wait",
        INSIDE.rstrip("/"),
        "say",
    }
    assert tasks["make"].state == "cached"


def test_a_task_that_was_retried_tells_its_last_attempt(graph: Graph) -> None:
    observed = seen("failed", graph)
    task = by_path(observed)[f"{INSIDE}check"]
    assert (task.attempt, task.error) == (2, "ValueError: 3 rows, and 5 are needed")
    pods = {n["id"].rpartition("-")[2] for n in workflow("failed")["status"]["nodes"].values() if "(1)" in n["name"]}
    assert observed.pods[task.path] == f"{run('failed').id}-check-{pods.pop()}"


@pytest.mark.parametrize(
    ("phases", "state"),
    [(["Pending"], "pending"), (["Running"], "running"), (["Failed"], "waiting"), (["Failed", "Running"], "running")],
)
def test_a_retried_task_is_where_its_last_attempt_is(graph: Graph, phases: list[str], state: str) -> None:
    found = workflow("failed")
    node = next(n for n in found["status"]["nodes"].values() if n["name"].endswith(".check"))
    node.update(phase="Running", finishedAt=None)
    attempts = [found["status"]["nodes"][id] for id in node["children"]]
    node["children"] = node["children"][: len(phases)]
    for attempt, phase in zip(attempts, phases, strict=False):
        attempt["phase"] = phase
    task = by_path(observe(run("failed"), found, graph))[f"{INSIDE}check"]
    assert task.state == state
    assert ("5 are needed" in task.error) == (state == "waiting")


def test_what_keeps_a_pod_from_starting_is_told(graph: Graph) -> None:
    found = workflow("running")
    node = next(n for n in found["status"]["nodes"].values() if n["name"].endswith(".wait"))
    node.update(phase="Pending", message="Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.")
    observed = observe(run("running"), found, graph)
    assert observed.notice == f"{INSIDE}wait waits: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."
    assert by_path(observed)[f"{INSIDE}wait"].state == "pending"


def test_a_workflow_that_argo_could_not_begin_says_why(graph: Graph) -> None:
    found = workflow("failed")
    found["status"] = {"phase": "Error", "message": "invalid spec: templates.x: no such thing"}
    observed = observe(run("failed"), found, graph)
    assert (observed.state, observed.error) == ("failed", "invalid spec: templates.x: no such thing")


# ---------------------------------------------------------------- where the nodes are, and what is cached
def test_compressed_nodes_are_the_same_nodes(graph: Graph) -> None:
    plain = workflow("succeeded")
    packed = copy.deepcopy(plain)
    nodes = json.dumps(packed["status"].pop("nodes")).encode()
    packed["status"]["compressedNodes"] = base64.b64encode(gzip.compress(nodes)).decode()
    assert observe(run("succeeded"), packed, graph) == observe(run("succeeded"), plain, graph)


def test_nodes_that_are_in_a_database_are_told_as_such(graph: Graph) -> None:
    found = workflow("succeeded")
    found["status"] = {"phase": "Running", "offloadNodeStatusVersion": "fnv:123"}
    with pytest.raises(ClusterError, match="keeps its nodes in a database"):
        observe(run("succeeded"), found, graph)


def test_the_run_that_a_cached_task_is_from_is_found_by_the_cache_key(graph: Graph) -> None:
    keys = cached_keys(workflow("failed"))
    assert len(keys) == 4
    assert all(map.startswith("tidegate-cache-") for map in keys.values())
    origins = dict.fromkeys(keys, "shapes-1")
    tasks = observe(run("failed"), workflow("failed"), graph, origins).tasks
    assert {task.cached_from for task in tasks if task.state == "cached"} == {"shapes-1"}


def test_a_cached_task_with_retries_and_what_follows_it_are_cached(graph: Graph) -> None:
    tasks = by_path(seen("cached", graph))
    assert {path for path, task in tasks.items() if task.state == "cached"} == {
        "make",
        *(f"{INSIDE}{path}" for path in ("check", "measure", "say-2", "for-loop-4/0/say-4", "for-loop-4/1/say-4")),
    }
    assert tasks.keys() == by_path(seen("succeeded", graph)).keys()


# ---------------------------------------------------------------- runs of others
def test_without_the_pipeline_the_same_tasks_are_told(graph: Graph) -> None:
    known, unknown = by_path(seen("failed", graph)), by_path(seen("failed", None))
    assert known.keys() == unknown.keys()
    for path, task in known.items():
        other = unknown[path]
        assert (task.state, dict(task.output_parameters)) == (other.state, dict(other.output_parameters)), path
        assert {n: a[0].digest for n, a in task.outputs.items()} == {n: a[0].digest for n, a in other.outputs.items()}


def test_a_run_of_somebody_elses_is_known_by_its_workflow() -> None:
    found = workflow("failed")
    found["metadata"]["labels"]["workflows.argoproj.io/cron-workflow"] = "nightly"
    record = run_of(found, "here")
    assert (record.pipeline, record.user, record.engine) == ("shapes", "cron nightly", "argo")
    assert record.parameters == {"least": 5, "rows": 3, "seconds": 0}
    assert record.settings["namespace"] == "g2"

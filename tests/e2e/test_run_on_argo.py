"""`tidegate run --on argo` and its kin on a real Argo Workflows, with the rights of a kubeconfig and nothing else."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.argo_follow import shapes
from tests.cli.conftest import ENTRY_POINT, Said, Tidegate, _own_workers, tidegate
from tests.e2e.cluster import IMAGE, Namespace, kubectl, reachable, repository

__all__ = ["_own_workers", "tidegate"]
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not reachable(), reason="needs KUBECONFIG of a cluster with Argo")]

SHAPES = Path(shapes.__file__)
PLACE = "tidegate-run-on-argo"
INSIDE = "exit-handler-1/"
ROWS = secrets.randbelow(90_000) + 10_000
"""Other data in each session: Argo's cache is the whole cluster's, and outlives it."""


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    made = Namespace.made(PLACE)
    made.empty("workflows")
    yield made
    made.empty("workflows")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that all tests here fill, in a project that knows the cluster's image."""
    folder = tmp_path_factory.mktemp("project")
    settings = {"repository": f"s3://{repository()['bucket']}", "host_image": IMAGE, "images": {"python:3.11": IMAGE}}
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items() if isinstance(value, str)]
    images = [f"{json.dumps(pattern)} = {json.dumps(image)}" for pattern, image in settings["images"].items()]
    (folder / "tidegate.toml").write_text("\n".join(["[argo]", *lines, "[argo.images]", *images, ""]))
    return folder / "store"


@pytest.fixture
def there(tidegate: Tidegate, namespace: Namespace, store: Path, monkeypatch: pytest.MonkeyPatch) -> Tidegate:
    monkeypatch.chdir(store.parent)
    monkeypatch.setenv("TIDEGATE_STORE", str(store))
    return tidegate


def on_argo(command: Tidegate, *args: str) -> Said:
    return command("run", SHAPES, "--on", "argo", "--namespace", PLACE, "-o", "json", "-p", f"rows={ROWS}", *args)


def states(said: Said) -> dict[str, str]:
    return {path: task["state"] for path, task in said.json["tasks"].items() if task["kind"] == "task"}


def done(said: Said) -> dict[str, str]:
    """States, where it does not count whether the work was done then or before."""
    return {path: {"cached": "succeeded"}.get(state, state) for path, state in states(said).items()}


@pytest.fixture(scope="module")
def ran() -> dict[str, Any]:
    """What the first test leaves for those after it."""
    return {}


# ---------------------------------------------------------------- the same as here
def test_a_run_there_is_the_run_here(there: Tidegate, ran: dict[str, Any]) -> None:
    remote = on_argo(there)
    assert remote.code == 0, remote.err
    ran["first"] = remote.json["run_id"]
    assert states(remote)["make"] == "succeeded"
    here = there("run", SHAPES, "-o", "json", "-p", f"rows={ROWS}")
    assert done(remote) == done(here)
    assert remote.json["outputs"] == here.json["outputs"] == {"Output": ROWS}
    difference = there("diff", here.json["run_id"], ran["first"], "-o", "json").json
    assert (difference["parameters"], difference["tasks"], difference["metrics"]) == ([], [], [])


def test_all_that_looks_at_runs_works_on_it(there: Tidegate, ran: dict[str, Any], store: Path) -> None:
    listed = there("runs", "-o", "json").json
    assert {run["engine"] for run in listed} == {"argo", "local"}
    assert "make" in there("show", ran["first"]).out
    assert there("logs", ran["first"], "make").out == "making\n"
    page = store.parent / "report.html"
    assert there("report", ran["first"], "--to", page).code == 0
    assert "lines" in page.read_text()
    lineage = there("lineage", f"{ran['first']}/measure/metrics", "-o", "json").json
    assert [step["artifact"]["name"] for step in lineage["made_from"]] == ["data"]
    assert lineage["made_from"][0]["artifact"]["uri"].startswith("s3://")


def test_a_failure_says_why_and_a_retry_takes_the_rest_from_the_cache(there: Tidegate, ran: dict[str, Any]) -> None:
    failed = on_argo(there, "-p", "least=1000000")
    assert failed.code == 1
    assert failed.json["error"] == f"{INSIDE}check: ValueError: {ROWS} rows, and 1000000 are needed"
    task = failed.json["tasks"]["make"]
    assert (task["state"], task["cached_from"]) == ("cached", ran["first"])
    assert "raise ValueError" in there("logs", failed.json["run_id"], "check").out
    again = there("retry", failed.json["run_id"], "-p", "least=2", "--from", "make", "-o", "json")
    assert (again.json["state"], again.json["parent"]) == ("succeeded", failed.json["run_id"])
    assert states(again)["make"] == "succeeded"
    assert states(again)[f"{INSIDE}measure"] == "cached"


# ---------------------------------------------------------------- following, and not
def test_ctrl_c_stops_following_logs_stream_and_cancel_stops_the_run(there: Tidegate, store: Path) -> None:
    command = [*ENTRY_POINT, "run", str(SHAPES), "--on", "argo", "--namespace", PLACE, "-p", "seconds=900"]
    with subprocess.Popen(
        command, cwd=store.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        assert run.stdout is not None
        said = []
        for line in run.stdout:
            said.append(line)
            if "wait: started" in line:
                break
        run.send_signal(signal.SIGINT)
        said.append(run.stdout.read())
    assert run.returncode == 130
    assert "goes on on argo" in said[-1]
    shown = there("show", "latest", "-o", "json").json
    assert (shown["state"], shown["tasks"][f"{INSIDE}wait"]["state"]) == ("running", "running")

    follow = [*ENTRY_POINT, "logs", "latest", "wait", "-f"]
    with subprocess.Popen(follow, cwd=store.parent, stdout=subprocess.PIPE, text=True) as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline() == "waiting 900\n"
        assert there("cancel", "latest").code == 0
        logs.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while (ended := there("show", "latest", "-o", "json")).json["state"] == "running" and time.monotonic() < deadline:
        time.sleep(0.5)
    assert ended.json["state"] == "cancelled"
    assert states(ended)[f"{INSIDE}wait"] == "cancelled"


# ---------------------------------------------------------------- before anything is sent
def refused(there: Tidegate, namespace: Namespace, *args: str) -> str:
    before = namespace.workflows().keys()
    said = on_argo(there, *args)
    assert said.code == 2, said.err
    assert namespace.workflows().keys() == before
    return " ".join(said.err.split())


def test_what_is_missing_there_is_told_before_anything_is_sent(there: Tidegate, namespace: Namespace) -> None:
    assert "no service account 'nobody'" in refused(there, namespace, "--service-account", "nobody")
    namespace.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "powerless"}}])
    said = refused(there, namespace, "--service-account", "powerless")
    assert "may not create workflowtaskresults.argoproj.io" in said
    missing = there("run", SHAPES, "--on", "argo", "--namespace", "no-such-namespace")
    assert (missing.code, "there is no namespace 'no-such-namespace'" in missing.err) == (2, True)


def test_rights_that_the_user_has_not_are_told_before_anything_is_sent(
    there: Tidegate, namespace: Namespace, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = kubectl("create", "token", "default", "-n", PLACE).strip()
    config = yaml.safe_load(kubectl("config", "view", "--raw", "--minify"))
    config["users"][0]["user"] = {"token": token}
    (store.parent / "powerless.kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(store.parent / "powerless.kubeconfig"))
    from tidegate.cli import clusters

    clusters._connected.cache_clear()
    said = on_argo(there)
    monkeypatch.undo()
    clusters._connected.cache_clear()
    assert said.code == 2
    assert "you may not create workflows.argoproj.io" in " ".join(said.err.split())


def test_a_dry_run_prints_what_the_cluster_takes(there: Tidegate, namespace: Namespace) -> None:
    printed = there("run", SHAPES, "--on", "argo", "--namespace", PLACE, "--dry-run").out
    kinds = [document["kind"] for document in yaml.safe_load_all(printed)]
    assert kinds[-1] == "Workflow"
    assert set(kinds[:-1]) == {"ConfigMap"}
    before = namespace.workflows().keys()
    said = kubectl("apply", "--dry-run=server", "--server-side", "-n", PLACE, "-f", "-", given=printed)
    assert said.count("serverside-applied (server dry run)") == len(kinds)
    assert namespace.workflows().keys() == before


# ---------------------------------------------------------------- runs of others
def test_runs_that_others_started_are_listed_and_shown(
    there: Tidegate, ran: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_STORE", str(tmp_path / "empty"))
    listed = there("runs", "--on", "argo", "--namespace", PLACE, "-o", "json").json
    found = {run["run_id"]: run for run in listed}
    assert (found[ran["first"]]["state"], found[ran["first"]]["pipeline"]) == ("succeeded", "shapes")
    shown = there("show", ran["first"], "-o", "json").json
    assert shown["tasks"]["make"]["outputs"]["Output"] == ROWS
    assert shown["parameters"] == {"least": 1, "rows": ROWS, "seconds": 0}


def test_a_run_that_was_deleted_there_stays_known_here(there: Tidegate, namespace: Namespace) -> None:
    id = there("run", SHAPES, "--on", "argo", "--namespace", PLACE, "-p", "seconds=900", "--detach", "-q").out.strip()
    kubectl("delete", "workflow", id, "-n", PLACE)
    deadline = time.monotonic() + 30
    while id in namespace.workflows() and time.monotonic() < deadline:
        time.sleep(0.2)
    shown = there("show", id, "-o", "json").json
    assert shown["state"] == "failed"
    assert "is not in namespace" in shown["error"]

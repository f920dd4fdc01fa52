"""`tidegate run --on kubeflow` and its kin, against a backend that behaves as KFP 2.17 does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.doubles.kfp_backend import Backend
from tests.doubles.kfp_workflow import Script
from tests.kubeflow.conftest import PIPELINES, Said
from tidegate.cli import following
from tidegate.kubeflow import prepare

Tidegate = Callable[..., Said]
TOY = f"{PIPELINES}:toy"
TRACEBACK = """[KFP Executor] Looking for component `rows`
Traceback (most recent call last):
  File "/tmp/x/ephemeral_component.py", line 4, in rows
    raise ValueError("too few rows")
ValueError: too few rows
I1021 09:00:02.000000      20 launcher_v2.go:192] publish success.
F1021 09:00:02.100000      20 main.go:57] failed to execute component: exit status 1
time="2026-10-21T09:00:03Z" level=info msg="sub-process exited" argo=true error="<nil>"
Error: exit status 1
"""


def on_kubeflow(tidegate: Tidegate, *args: str) -> Said:
    return tidegate("run", TOY, "--on", "kubeflow", "-o", "json", *args)


def leaves(said: Said) -> dict[str, str]:
    return {path: task["state"] for path, task in said.json["tasks"].items() if task["kind"] == "task"}


# ---------------------------------------------------------------- how a run goes
def test_a_run_ends_with_the_tasks_paths_that_local_runs_have(tidegate: Tidegate) -> None:
    said = on_kubeflow(tidegate)
    assert said.code == 0, said.err
    assert said.json["state"] == "succeeded"
    assert said.json["engine"] == "kubeflow"
    below = ("rows", "condition-2/say-2", "for-loop-4/0/square", "for-loop-4/1/square")
    paths = {"rows-2", "say", *(f"exit-handler-1/{path}" for path in below)}
    assert leaves(said) == dict.fromkeys(paths, "succeeded")
    kinds = {path: task["kind"] for path, task in said.json["tasks"].items()}
    assert kinds["exit-handler-1/for-loop-4"] == "loop"
    assert kinds["exit-handler-1/for-loop-4/1"] == "iteration"


def test_progress_is_told_as_of_local_runs(tidegate: Tidegate) -> None:
    said = tidegate("run", TOY, "--on", "kubeflow")
    assert re.search(r"^\d\d:\d\d:\d\d exit-handler-1/rows: succeeded in [\d.]+s$", said.out, re.MULTILINE)
    assert "✓ succeeded" in said.out


def test_cached_tasks_which_kubeflow_calls_succeeded_are_told_with_the_run_they_are_from(
    tidegate: Tidegate, kubeflow: Backend
) -> None:
    kubeflow.script = Script(cached={"exit-handler-1/rows": "run-of-yesterday"})
    task = on_kubeflow(tidegate).json["tasks"]["exit-handler-1/rows"]
    assert (task["state"], task["cached_from"]) == ("cached", "run-of-yesterday")


def test_a_failure_says_why_although_kubeflow_does_not(tidegate: Tidegate, kubeflow: Backend) -> None:
    kubeflow.script = Script(fail={"exit-handler-1/rows": TRACEBACK})
    said = on_kubeflow(tidegate)
    assert said.code == 1
    assert said.json["error"] == "exit-handler-1/rows: ValueError: too few rows"
    assert said.json["tasks"]["exit-handler-1/rows"]["error"] == "ValueError: too few rows"
    shown = tidegate("show", "latest")
    assert "ValueError: too few rows" in shown.out
    assert "raise ValueError" in tidegate("logs", "latest", "exit-handler-1/rows").out


def test_a_skipped_condition_is_told_as_skipped(tidegate: Tidegate, kubeflow: Backend) -> None:
    kubeflow.script = Script(skipped=frozenset({"exit-handler-1/condition-2"}))
    said = on_kubeflow(tidegate)
    assert said.json["tasks"]["exit-handler-1/condition-2"]["state"] == "skipped"
    assert "exit-handler-1/condition-2/say-2" not in said.json["tasks"]


def test_without_leave_to_read_workflows_names_and_states_are_still_told(tidegate: Tidegate, kubeflow: Backend) -> None:
    kubeflow.workflows_readable = False
    kubeflow.script = Script(cached={"exit-handler-1/rows": "run-1"}, fail={"exit-handler-1/condition-2/say-2": "no\n"})
    said = on_kubeflow(tidegate)
    assert said.json["state"] == "failed"
    states = leaves(said)
    assert (states["rows"], states["say-2"], states["square"], states["square~2"]) == (
        "cached",
        "failed",
        "succeeded",
        "succeeded",
    )


def test_a_backend_that_does_not_answer_for_a_while_loses_nothing(tidegate: Tidegate, kubeflow: Backend) -> None:
    id = tidegate("run", TOY, "--on", "kubeflow", "--detach", "-q").out.strip()
    kubeflow.down = 2
    followed = tidegate("resume", id)
    assert followed.code == 0
    assert "the run goes on, trying again" in followed.out


# ---------------------------------------------------------------- what is sent
def test_a_version_is_uploaded_only_where_the_pipeline_changed(tidegate: Tidegate, kubeflow: Backend) -> None:
    on_kubeflow(tidegate)
    on_kubeflow(tidegate, "-p", "count=5")
    assert len(kubeflow.versions) == 1
    tidegate("run", f"{PIPELINES}:typed_list", "--on", "kubeflow")
    assert {version["pipeline"] for version in kubeflow.versions.values()} == {"pipeline-1", "pipeline-2"}
    run = list(kubeflow.runs.values())[1]
    assert run["pipeline_version_reference"]["pipeline_version_id"] == "version-1"
    assert run["runtime_config"]["parameters"] == {"count": 5}


def test_experiment_and_service_account_are_sent(tidegate: Tidegate, kubeflow: Backend) -> None:
    on_kubeflow(tidegate, "--experiment", "nightly", "--service-account", "pipeline-runner")
    assert list(kubeflow.experiments.values()) == ["nightly"]
    assert next(iter(kubeflow.runs.values()))["service_account"] == "pipeline-runner"


def test_without_the_cache_no_task_at_any_depth_asks_it(tidegate: Tidegate, kubeflow: Backend) -> None:
    sent: list[str] = []
    create = kubeflow.create_run
    kubeflow.create_run = lambda body: sent.append(yaml.safe_dump(body)) or create(body)  # type: ignore[method-assign]
    assert on_kubeflow(tidegate, "--no-cache").code == 0
    assert "square" in sent[0]
    assert "enableCache" not in sent[0]


def test_a_dry_run_prints_what_is_sent_and_sends_nothing(tidegate: Tidegate, kubeflow: Backend) -> None:
    said = tidegate("run", TOY, "--on", "kubeflow", "--dry-run", "-p", "count=4")
    request, spec = yaml.safe_load_all(said.out)
    assert kubeflow.requests == []
    on_kubeflow(tidegate, "-p", "count=4")
    version = next(iter(kubeflow.versions.values()))
    assert (version["name"], version["description"]) == (request["version"], request["description"])
    assert yaml.safe_load(version["text"]) == spec
    assert next(iter(kubeflow.runs.values()))["runtime_config"]["parameters"] == request["parameters"]


def test_what_fails_there_is_refused_before_anything_is_sent(tidegate: Tidegate, kubeflow: Backend) -> None:
    refused = tidegate("run", f"{PIPELINES}:bare_list", "--on", "kubeflow")
    assert refused.code == 2
    said = " ".join(refused.err.split())
    assert "for-loop-1/condition-2/square: KFP fails when it runs: `expect NUMBER_INTEGER, got string`" in said
    assert "as in `List[int]`" in said
    assert kubeflow.requests == []


@pytest.mark.parametrize("pipeline", ["typed_list", "text_list"])
def test_lists_whose_items_are_what_tasks_take_are_sent(tidegate: Tidegate, pipeline: str) -> None:
    assert tidegate("run", f"{PIPELINES}:{pipeline}", "--on", "kubeflow").code == 0


def test_what_is_refused_here_does_fail_there(tidegate: Tidegate, kubeflow: Backend, monkeypatch: Any) -> None:
    """The double fails where KFP does, and its driver's words are found."""
    monkeypatch.setattr(prepare, "refusals", lambda _: ())
    said = tidegate("run", f"{PIPELINES}:bare_list", "--on", "kubeflow", "-o", "json")
    assert said.code == 1
    assert "expect NUMBER_INTEGER, got string" in said.json["error"]


# ---------------------------------------------------------------- afterwards
def test_a_detached_run_is_listed_beside_local_ones_shown_and_cancelled(tidegate: Tidegate, kubeflow: Backend) -> None:
    said = tidegate("run", TOY, "--on", "kubeflow", "--detach")
    assert f"{kubeflow.url}/#/runs/details/00000000" in said.out
    listed = tidegate("runs", "-o", "json").json[0]
    assert (listed["state"], listed["engine"]) == ("running", "kubeflow")
    assert tidegate("cancel", "latest").code == 0
    assert tidegate("show", "latest", "-o", "json").json["state"] == "cancelled"
    refused = tidegate("cancel", "latest")
    assert (refused.code, "it is cancelled" in refused.err) == (2, True)


def test_ctrl_c_stops_following_and_the_run_goes_on(tidegate: Tidegate, monkeypatch: Any) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following, "time", SimpleNamespace(sleep=interrupted, time=time.time))
    said = tidegate("run", TOY, "--on", "kubeflow")
    assert said.code == 130
    assert "goes on on kubeflow" in said.err


def test_a_run_that_was_deleted_there_ends_here(tidegate: Tidegate, kubeflow: Backend) -> None:
    tidegate("run", TOY, "--on", "kubeflow", "--detach")
    kubeflow.runs.clear()
    shown = tidegate("show", "latest", "-o", "json").json
    assert shown["state"] == "failed"
    assert "was it deleted there?" in shown["error"]


def test_a_retry_is_a_new_run_with_the_same_parameters(tidegate: Tidegate, kubeflow: Backend) -> None:
    kubeflow.script = Script(fail={"rows-2": TRACEBACK})
    first = on_kubeflow(tidegate, "-p", "count=7").json["run_id"]
    kubeflow.script = Script()
    again = tidegate("resume", first, "-o", "json").json
    assert (again["state"], again["parent"]) == ("succeeded", first)
    sent = [run["runtime_config"]["parameters"] for run in kubeflow.runs.values()]
    assert sent == [{"count": 7}, {"count": 7}]


def test_options_of_local_runs_are_refused(tidegate: Tidegate) -> None:
    assert "--max-tasks means nothing with --on kubeflow" in on_kubeflow(tidegate, "--max-tasks", "2").err
    assert "--namespace means nothing for a run on this machine" in tidegate("run", TOY, "--namespace", "x").err


def test_an_address_where_nobody_listens_is_told(tidegate: Tidegate) -> None:
    said = on_kubeflow(tidegate, "--host", "http://127.0.0.1:9")
    assert said.code == 3
    assert "is --host (or KF_PIPELINES_ENDPOINT) its address?" in " ".join(said.err.split())

"""What happens in the pod of a step, played in a folder: the runner's own code, without a cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.argo.pipelines import endings, shout
from tests.conformance.case import compiled
from tests.conformance.components import add, fail, read, write
from tidegate.argo import wire
from tidegate.argo.leaf import step_of
from tidegate.argo.step import main, outputs, places, program, workflow
from tidegate.graph.build import build
from tidegate.graph.model import Component, Dag
from tidegate.graph.work import Artifact
from tidegate.spec import load
from tidegate.store.digests import read as digested


def component_of(pipeline: Any) -> Component:
    """Of a component compiled alone."""
    body = build(load(compiled(pipeline))).root.body
    assert isinstance(body, Dag)
    return next(iter(body.tasks.values())).component


class Pod:
    """A pod's places, in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        for name in ("INPUTS", "GIVEN", "OUTPUTS", "RESULTS", "STATE", "SCRIPT", "LOG", "SHELL", "TASK", "HOME"):
            here = getattr(places, name).replace(places.ROOT, str(folder))
            monkeypatch.setattr(places, name, here)
        monkeypatch.setattr(places, "ROOT", str(folder))
        monkeypatch.setattr(places, "MESSAGE", str(folder / "message"))
        for name, value in {
            "TIDEGATE_RUN": "chain-x7k2p",
            "TIDEGATE_RUN_UID": "7c0",
            "TIDEGATE_RUN_CREATED": "2026-11-27T12:00:00Z",
            "TIDEGATE_NODE": "chain-x7k2p.loop.iteration(0:0).add-2(1)",
            "TIDEGATE_KEY": "chain/chain-x7k2p/pod",
        }.items():
            monkeypatch.setenv(name, value)

    def run(self, pipeline: Any, mode: str = "run", **given: str) -> int:
        said, source = step_of(component_of(pipeline))
        (self.folder / "step.json").write_text(json.dumps(said))
        (self.folder / f"{said['component']}.py").write_text(source)
        Path(places.GIVEN).write_text("".join(f"{name} {text}\n" for name, text in given.items()))
        return main.main([mode, str(self.folder / "step.json")])

    @property
    def message(self) -> str:
        return (self.folder / "message").read_text()

    def result(self, name: str) -> str:
        return Path(places.RESULTS, name).read_text()


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    return Pod(tmp_path, monkeypatch)


def test_a_step_runs_and_leaves_its_outputs(pod: Pod) -> None:
    assert pod.run(add, a="1", b='~fill ["{\\u007b$.inputs.parameters[\'x\']}}", {"x": 41}]') == 0
    assert pod.result("Output") == "42"


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"a": "1", "b": '"x"'}, main.NOT_AGAIN, "input 'b': expected NUMBER_INTEGER, found \"x\""),
        ({"a": "1", "b": "!train failed"}, main.NOT_AGAIN, "input 'b' has no value: train failed"),
        ({"a": "1", "b": '~pick [["n"], {"m": 1}]'}, main.NOT_AGAIN, "input 'b': {\"m\": 1} has no 'n'"),
    ],
)
def test_an_input_that_does_not_fit_ends_the_step_for_good(
    pod: Pod, given: dict[str, str], code: int, message: str
) -> None:
    assert pod.run(add, **given) == code
    assert pod.message == message


def test_a_failure_is_told_as_local_runs_tell_it(pod: Pod) -> None:
    assert pod.run(fail, message='"no rows"') == main.FAILED
    assert pod.message == "ValueError: no rows"


def test_an_artifact_goes_out_and_comes_in(pod: Pod) -> None:
    assert pod.run(write, text='"rows"') == 0
    (found,) = wire.artifacts(pod.result("data")) or ()
    assert found.key == "chain/chain-x7k2p/pod/data"
    assert found.artifact.metadata == {"length": 4}

    brought = Path(places.INPUTS, "data", "0")
    brought.parent.mkdir(parents=True)
    shutil.copy(Path(places.OUTPUTS, "data"), brought)
    assert pod.run(read, data=wire.dump([wire.describe(found)])) == 0
    assert pod.result("Output") == '"rows"'


def test_content_that_changed_on_its_way_is_not_read(pod: Pod) -> None:
    brought = Path(places.INPUTS, "data", "0")
    brought.parent.mkdir(parents=True)
    brought.write_text("half")
    whole = wire.Described(Artifact("data", "", "system.Dataset", digest="sha256:0"), "run/pod/data")

    assert pod.run(read, data=wire.dump([wire.describe(whole)])) == main.NOT_AGAIN
    assert "the content of run/pod/data is not what was made" in pod.message


def test_empty_folders_and_links_are_as_they_were(tmp_path: Path) -> None:
    made, brought = tmp_path / "made", tmp_path / "brought"
    (made / "assets").mkdir(parents=True)
    (made / "v2").mkdir()
    (made / "v2/model").write_text("m")
    (made / "latest").symlink_to("v2")
    digest = digested(made).digest
    folders, links = outputs._extras(made)
    shutil.copytree(made, brought, ignore=lambda _, names: [each for each in names if each in folders])

    from tidegate.argo.step.inputs import _restore

    _restore(brought, wire.Described(Artifact("m", ""), "key", folders, links))
    assert (folders, links) == (("assets",), {"latest": "v2"})
    assert digested(brought).digest == digest


def test_a_task_that_takes_too_long_is_stopped(pod: Pod) -> None:
    Path(places.TASK).mkdir()
    from tidegate.local.bootstrap import Code

    ended = program.run(Code("import time; print('on'); time.sleep(60)", ()), dict(os.environ), 0.5, 0)

    assert ended == program.Ended("timed out", "timed out: the task ran longer than 0.5 s")


def test_beside_an_image_without_python_a_shell_runs_the_task(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("no busybox on this machine")
    assert pod.run(shout, "prepare", text="\"$(id) 'it'\"") == 0
    assert subprocess.run([places.SHELL, "sh", places.SCRIPT], check=False).returncode == 0
    assert pod.run(shout, "collect", text="\"$(id) 'it'\"") == 0
    assert wire.load(pod.result("loud")) == "$(ID) 'IT'\n"


def test_a_final_status_says_why(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    body = build(load(compiled(endings))).root.body
    assert isinstance(body, Dag)
    component = body.tasks["status-of"].component
    asked: list[str] = []
    monkeypatch.setattr(workflow, "failure", lambda task: asked.append(task) or "fail: ValueError: no")
    from tidegate.argo.step.inputs import names_of, work_of

    given = {"status": "~status exit-handler-1 Failed"}
    work = work_of(component, given, names_of(os.environ))

    assert asked == ["exit-handler-1"]
    assert work.parameters["status"]["state"] == "FAILED"
    assert work.parameters["status"]["error"]["message"] == "fail: ValueError: no"


def test_the_tasks_own_name_has_no_place_and_no_attempt_in_it(pod: Pod) -> None:
    from tidegate.argo.step.inputs import names_of

    assert names_of(os.environ)["pipeline_task_name"] == "add-2"


def test_the_runner_is_the_same_bytes_each_time() -> None:
    from tidegate.argo import runner

    first = runner.archive()
    runner.archive.cache_clear()
    assert first == runner.archive()

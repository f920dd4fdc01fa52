"""`from tidegate import run`, as scripts, tests and notebooks use it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.local.lab import PIPELINES, Lab
from tidegate.local import progress
from tidegate.local.api import RunFailed, run
from tidegate.local.events import RunState, TaskState
from tidegate.local.reference import PipelineError
from tidegate.local.watch import RunView
from tidegate.spec import SpecError


def test_a_result_has_outputs_artifacts_states_times_and_logs(lab: Lab) -> None:
    result = lab.run("two", n=4)
    make = result.tasks["make"]
    assert result.succeeded
    assert result.outputs == {"Output": 4}
    assert make.outputs["Output"] == 4
    data = make.outputs["data"]
    assert data.path.read_text() == "xxxx"
    assert Path(data).read_text() == "xxxx"
    assert (data.type, data.metadata) == ("system.Dataset", {"rows": 4})
    assert "made 4" in make.log
    assert 0 < make.seconds <= result.seconds
    assert list(result.tasks) == ["make", "count"]


def test_a_failed_run_raises_with_the_tasks_message_and_the_end_of_its_log(lab: Lab) -> None:
    with pytest.raises(RunFailed) as raised:
        lab.run("spoiled", good=str(lab.folder / "good"))
    message = str(raised.value)
    failed = raised.value.result
    assert "there is nothing good" in message
    assert "about to look" in message
    assert str(failed.tasks["spoil"].log_path) in message
    assert f"tidegate resume {failed.id}" in message
    assert failed.tasks["make"].state == "succeeded"


def test_unchecked_it_says_so_instead(lab: Lab) -> None:
    result = lab.run("spoiled", {"check": False}, good=str(lab.folder / "good"))
    assert (result.state, result.succeeded) == ("failed", False)
    assert "there is nothing good" in result.error


def test_it_runs_inside_a_running_event_loop(lab: Lab) -> None:
    async def cell() -> int:
        return int(lab.run("two").outputs["Output"])

    assert asyncio.run(cell()) == 3


def test_errors_cross_from_inside_a_running_event_loop_too(lab: Lab) -> None:
    async def cell() -> None:
        lab.run("two", nonsense=1)

    with pytest.raises(SpecError, match="no such parameter"):
        asyncio.run(cell())


def test_a_pipeline_function_can_be_given_itself(lab: Lab) -> None:
    from tests.local.lab_pipelines import two

    result = run(two, lab.given(), store=lab.folder / "store")
    assert result.outputs == {"Output": 3}
    assert result.record.pipeline == "two"


def test_what_is_no_pipeline_is_refused_with_what_would_be_one(lab: Lab) -> None:
    def plain() -> None: ...

    with pytest.raises(PipelineError, match=r"a plain function is no pipeline: .*@dsl.pipeline"):
        run(plain, store=lab.folder / "store")


def test_a_task_is_found_by_the_end_of_its_path(lab: Lab) -> None:
    result = lab.run("maze", items=["a"])
    assert result.tasks["total"].outputs["Output"] == "a2"
    with pytest.raises(KeyError, match="no task 'nope'"):
        result.tasks["nope"]


def test_where_the_store_is(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    (lab.folder / "tidegate.toml").write_text('store = "kept"\n')
    reference = f"{PIPELINES}:two"
    run(reference, lab.given())
    assert (lab.folder / "kept" / "store.db").exists()
    monkeypatch.setenv("TIDEGATE_STORE", str(lab.folder / "variable"))
    run(reference, lab.given())
    assert (lab.folder / "variable" / "store.db").exists()
    run(reference, lab.given(), store=lab.folder / "said")
    assert (lab.folder / "said" / "store.db").exists()


def test_secrets_reach_the_task_and_not_the_store(lab: Lab) -> None:
    secrets = lab.folder / "secrets.yaml"
    secrets.write_text("database: {password: hunter2}\n")
    pipeline = lab.folder / "secretive.py"
    pipeline.write_text(
        "from kfp import dsl, kubernetes\n"
        "@dsl.component(base_image='python:3.11', install_kfp_package=False)\n"
        "def length() -> int:\n"
        "    import os\n"
        "    return len(os.environ['PASSWORD'])\n"
        "@dsl.pipeline(name='secretive')\n"
        "def secretive() -> int:\n"
        "    task = length()\n"
        "    kubernetes.use_secret_as_env(task, 'database', {'password': 'PASSWORD'})\n"
        "    return task.output\n"
    )
    without = run(str(pipeline), store=lab.folder / "store", check=False)
    assert "`database: {password: ...}` by --secrets" in without.tasks["length"].error
    assert run(str(pipeline), store=lab.folder / "store", secrets=secrets).outputs == {"Output": 7}
    kept = b"".join(path.read_bytes() for path in (lab.folder / "store").rglob("*") if path.is_file())
    assert b"hunter2" not in kept


WARM = """
import sys, time
from tidegate import run
print(run(sys.argv[1], {"trace": sys.argv[2]}, store=sys.argv[3]).tasks["count"].state)
print([name for name in ("kfp.dsl", "kfp.compiler", "tensorflow") if name in sys.modules])
"""


def test_a_run_of_what_is_compiled_and_cached_does_not_import_kfp(lab: Lab) -> None:
    lab.run("two")
    arguments = [sys.executable, "-c", WARM, f"{PIPELINES}:two", str(lab.trace), str(lab.folder / "store")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=lab.folder)
    assert done.stdout.splitlines() == ["cached", "[]"]


# ---------------------------------------------------------------- progress
def view() -> RunView:
    shown = RunView("flights-1", "flights", started=time.time(), total=3)
    shown.task("load", state=TaskState.CACHED)
    shown.task("train", state=TaskState.RUNNING, message="epoch 3/10")
    return shown


def test_progress_is_one_line_with_what_runs() -> None:
    shown = view()
    assert progress.line(shown) == "flights-1: 1 of 3 done, 1 cached; train: epoch 3/10"
    shown.task("train", state=TaskState.FAILED)
    shown.state, shown.ended = RunState.FAILED, shown.started + 2
    assert progress.line(shown) == "flights-1: 2 of 3 done, 1 cached, 1 failed; failed in 2.0 s"


def test_a_log_file_gets_only_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    shows = progress.observer(True)
    assert shows is not None
    shown = view()
    shows(shown, ())
    shown.state, shown.ended = RunState.SUCCEEDED, shown.started + 1
    shows(shown, ())
    assert capsys.readouterr().err == "flights-1: 1 of 3 done, 1 cached; succeeded in 1.0 s\n"


def test_nothing_is_shown_where_nobody_watches() -> None:
    assert progress.observer(None) is None
    assert progress.observer(False) is None


def test_a_notebooks_cell_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    handle = SimpleNamespace(update=lambda shown, raw: drawn.append("again " + shown["text/plain"]))

    def display(shown: dict[str, str], **_: object) -> SimpleNamespace:
        drawn.append(shown["text/plain"])
        return handle

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1)))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    shows = progress.observer(None)
    assert shows is not None
    shown = view()
    shows(shown, ())
    shown.state, shown.ended = RunState.SUCCEEDED, shown.started
    shows(shown, ())
    assert drawn[0].startswith("flights-1: 1 of 3 done")
    assert drawn[1].startswith("again flights-1")

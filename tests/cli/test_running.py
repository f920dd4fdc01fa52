"""`tidegate run` and its kin, on real small pipelines."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import ENTRY_POINT, Tidegate

SLOW = Path(__file__).with_name("slow.py")


# ---------------------------------------------------------------- what a run says
def test_json_ends_with_state_outputs_and_every_task(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("run", pipeline, "-o", "json")
    assert said.code == 0
    result = said.json
    assert result["run_id"].startswith("toy-")
    assert result["state"] == "succeeded"
    assert result["outputs"] == {"Output": 10}
    task = result["tasks"]["train"]
    assert (task["state"], task["cache_hit"]) == ("succeeded", False)
    assert task["seconds"] >= 0
    assert Path(task["outputs"]["model"]["uri"]).read_text() == "0.5"
    assert result["tasks"]["check"]["outputs"] == {"Output": "good"}


def test_a_run_can_be_named(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("run", pipeline, "--name", "nightly", "-o", "json").json
    assert said["run_id"].startswith("nightly-")
    assert said["pipeline"] == "toy"


def test_the_second_run_comes_from_the_cache(tidegate: Tidegate, pipeline: Path) -> None:
    first = tidegate("run", pipeline, "-o", "json").json
    second = tidegate("run", pipeline, "-o", "json").json
    leaves = [task for task in second["tasks"].values() if task["kind"] == "task"]
    assert {task["state"] for task in leaves} == {"cached"}
    assert {task["cached_from"] for task in leaves} == {first["run_id"]}
    assert second["outputs"] == first["outputs"]


def test_a_cached_run_does_not_import_kfp(tidegate: Tidegate, pipeline: Path, tmp_path: Path) -> None:
    tidegate("run", pipeline)
    command = [ENTRY_POINT[0], "-X", "importtime", *ENTRY_POINT[1:], "run", str(pipeline)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0
    imported = {line.rsplit("|", 1)[-1].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert not imported & {"kfp.dsl", "kfp.compiler", "kubernetes", "rich"}


@pytest.mark.parametrize("how", [["--no-cache"], ["--cache-after", "now"]])
def test_the_cache_can_be_told_not_to_answer(tidegate: Tidegate, pipeline: Path, how: list[str]) -> None:
    tidegate("run", pipeline)
    tasks = tidegate("run", pipeline, "-o", "json", *how).json["tasks"]
    assert not any(task["cache_hit"] for task in tasks.values())


def test_elsewhere_than_at_a_terminal_progress_is_plain_lines_with_times(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("run", pipeline)
    assert re.search(r"^\d\d:\d\d:\d\d measure: succeeded in [\d.]+s, 10 rows$", said.out, re.MULTILINE)
    assert "\033" not in said.out
    assert "✓ succeeded" in said.out


def test_what_machines_read_is_not_mixed_with_progress(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("run", pipeline, "-o", "json")
    assert json.loads(said.out)["state"] == "succeeded"
    assert "train: succeeded" in said.err


def test_quiet_says_only_which_run_it_was(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("run", pipeline, "-q")
    assert re.fullmatch(r"toy-\S+ succeeded\n", said.out)
    assert said.err == ""


@pytest.mark.parametrize("columns", [80, 140])
def test_at_a_terminal_tasks_are_a_table_that_fits(tidegate: Tidegate, pipeline: Path, columns: int) -> None:
    command = f"stty cols {columns} rows 24; {' '.join(ENTRY_POINT)} run {pipeline}"
    ran = subprocess.run(
        ["script", "-qec", command, "/dev/null"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert ran.returncode == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", ran.stdout)
    last = plain[plain.rindex("TASK") :].replace("\r", "").splitlines()
    assert [line.split()[0] for line in last[:4]] == ["TASK", "measure", "train", "check"]
    assert max(map(len, last[:6])) <= columns
    assert "\x1b[32m✓ succeeded" in ran.stdout


def test_no_color_is_honoured(tidegate: Tidegate, pipeline: Path) -> None:
    command = f"NO_COLOR=1 {' '.join(ENTRY_POINT)} run {pipeline}"
    ran = subprocess.run(
        ["script", "-qec", command, "/dev/null"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert not re.search(r"\x1b\[[0-9;]*m(?!\x1b)", ran.stdout.replace("\x1b[0m", ""))


# ---------------------------------------------------------------- parameters and pipelines
def test_parameters_come_from_a_file_and_the_command_line(tidegate: Tidegate, pipeline: Path, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("rows: 7\nrate: 0.25\n")
    said = tidegate("run", pipeline, "-f", "params.yaml", "-p", "rows=8", "-o", "json").json
    assert said["parameters"] == {"rows": 8, "rate": 0.25, "shift": 1.0, "bad": False}
    assert said["outputs"] == {"Output": 8}


def test_all_that_is_wrong_with_the_parameters_is_told_at_once(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("run", pipeline, "-p", "row=8", "-p", "rate=fast")
    assert said.code == 2
    assert "did you mean 'rows'?" in said.err
    assert "rate: expected a number" in said.err
    assert tidegate("runs").out == "no runs\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [("toys.py", "no pipeline 'toys.py'"), ("toy.py:nightly", "toy.py:toy"), ("empty.yaml", "the file is empty")],
)
def test_a_pipeline_that_is_not_there_is_told(tidegate: Tidegate, pipeline: Path, name: str, said: str) -> None:
    pipeline.with_name("empty.yaml").touch()
    told = tidegate("run", name)
    assert told.code == 2
    assert said in told.err
    assert "Traceback" not in told.err


def test_a_users_file_that_raises_shows_the_users_traceback_only(tidegate: Tidegate, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def f():\n    return 1 / 0\n\nf()\n")
    said = tidegate("run", "broken.py")
    assert said.code == 2
    assert "ZeroDivisionError" in said.err
    assert 'broken.py", line 2, in f' in said.err
    assert "tidegate/" not in said.err


def test_a_compiled_pipeline_runs_like_its_source(tidegate: Tidegate, pipeline: Path, tmp_path: Path) -> None:
    for name in ("toy.yaml", "toy.json"):
        assert tidegate("compile", pipeline, "-o", tmp_path / name).code == 0
        assert tidegate("run", name, "-q", "-o", "json").json["outputs"] == {"Output": 10}


# ---------------------------------------------------------------- failures
def test_a_failed_task_shows_its_error_and_the_end_of_its_log(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("run", pipeline, "-p", "bad=true")
    assert said.code == 1
    assert "✗ check  ValueError: the model is bad" in said.out
    assert 'raise ValueError("the model is bad")' in said.out
    assert "src/tidegate" not in said.out
    assert re.search(r"continue +tidegate resume toy-", said.out)


def test_a_run_can_be_retried_with_another_parameter(tidegate: Tidegate, pipeline: Path) -> None:
    failed = tidegate("run", pipeline, "-p", "bad=true", "-o", "json").json
    again = tidegate("retry", "latest", "-p", "bad=false", "-o", "json").json
    assert (again["state"], again["parent"]) == ("succeeded", failed["run_id"])
    assert again["tasks"]["train"]["cached_from"] == failed["run_id"]


def test_a_run_can_be_retried_from_a_task_on(tidegate: Tidegate, pipeline: Path) -> None:
    tidegate("run", pipeline)
    tasks = tidegate("retry", "latest", "--from", "train", "-o", "json").json["tasks"]
    assert tasks["measure"]["cache_hit"]
    assert not tasks["train"]["cache_hit"]


# ---------------------------------------------------------------- dry run
def test_a_dry_run_starts_nothing_and_says_what_would(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("run", pipeline, "--dry-run", "-o", "json").json["tasks"]
    assert said["measure"] == {"would": "run", "why": "first run of this component", "cached_from": ""}
    assert said["train"] == {"would": "run later", "why": "waits for measure", "cached_from": ""}
    assert tidegate("runs").out == "no runs\n"


def test_a_dry_run_says_why_a_miss_is_a_miss(tidegate: Tidegate, pipeline: Path) -> None:
    first = tidegate("run", pipeline, "-o", "json").json["run_id"]
    said = tidegate("run", pipeline, "--dry-run", "-p", "rate=0.7", "-o", "json").json["tasks"]
    assert said["measure"] == {"would": "cached", "why": "", "cached_from": first}
    assert (said["train"]["would"], said["train"]["why"]) == ("run", "parameter rate changed")


def test_a_dry_run_of_a_cached_run_follows_conditions_and_loops(tidegate: Tidegate, pipeline: Path) -> None:
    tidegate("run", pipeline)
    said = tidegate("run", pipeline, "--dry-run").out
    assert "0 to run; nothing was started" in said
    assert said.count("be cached") == 5
    assert tidegate("lineage", "latest/measure/statistics", "-o", "json").json["used_for"]


# ---------------------------------------------------------------- stopping and going on
@contextmanager
def driven(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A slow run in a process of its own, that has reached its waiting task."""
    go = folder / "go"
    command = [*ENTRY_POINT, "run", str(SLOW), "-p", f"go={go}"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 60
        while not Path(f"{go}.reached").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        yield process
    finally:
        go.touch()
        process.kill()
        process.communicate()


def test_ctrl_c_cancels_keeps_what_is_done_and_says_how_to_go_on(tidegate: Tidegate, tmp_path: Path) -> None:
    with driven(tmp_path) as process:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "exit-handler-1/wait: cancelled" in said
    assert "tidy: succeeded" in said
    run = tidegate("runs", "-o", "json").json[0]
    assert run["state"] == "cancelled"
    assert f"tidegate resume {run['run_id']}" in said
    resumed = tidegate("resume", "latest", "-o", "json").json
    assert resumed["state"] == "succeeded"
    assert resumed["tasks"]["exit-handler-1/quick"]["cache_hit"]


def test_a_run_can_be_cancelled_from_another_terminal(tidegate: Tidegate, tmp_path: Path) -> None:
    with driven(tmp_path) as process:
        assert tidegate("show", "latest", "-o", "json").json["state"] == "running"
        assert tidegate("cancel", "latest").code == 0
        process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_killed_run_is_resumed_where_it_was(tidegate: Tidegate, tmp_path: Path) -> None:
    with driven(tmp_path) as process:
        process.kill()
        process.wait()
        before = tidegate("show", "latest", "-o", "json").json
        assert before["state"] == "interrupted"
        assert f"tidegate resume {before['run_id']}" in tidegate("show", "latest").out
    resumed = tidegate("resume", "latest", "-o", "json").json
    assert (resumed["run_id"], resumed["state"]) == (before["run_id"], "succeeded")
    assert resumed["tasks"]["exit-handler-1/quick"]["ended"] == before["tasks"]["exit-handler-1/quick"]["ended"]


def test_what_is_not_running_cannot_be_cancelled_or_resumed(tidegate: Tidegate, pipeline: Path) -> None:
    tidegate("run", pipeline)
    for command in ("cancel", "resume"):
        said = tidegate(command, "latest")
        assert said.code == 2
        assert "succeeded" in said.err


def test_a_log_can_be_followed_until_its_task_ends(tidegate: Tidegate, tmp_path: Path) -> None:
    with driven(tmp_path) as process:
        following = subprocess.Popen(
            [*ENTRY_POINT, "logs", "latest", "wait", "-f"], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        assert following.stdout is not None
        assert following.stdout.readline() == "waiting\n"
        assert following.poll() is None
        (tmp_path / "go").touch()
        process.communicate(timeout=60)
        assert following.wait(timeout=60) == 0
        following.stdout.close()


# ---------------------------------------------------------------- housekeeping
def test_gc_gives_back_the_space_of_old_runs(tidegate: Tidegate, pipeline: Path) -> None:
    first = tidegate("run", pipeline, "-o", "json").json["run_id"]
    second = tidegate("run", pipeline, "--no-cache", "-o", "json").json["run_id"]
    assert tidegate("gc", "--keep", "1", "--dry-run", "-o", "json").json["runs"] == [first]
    assert len(tidegate("runs", "-o", "json").json) == 2
    assert tidegate("gc", "--keep", "1", "-o", "json").json["size"] > 0
    assert [run["run_id"] for run in tidegate("runs", "-o", "json").json] == [second]


def test_clearing_the_cache_makes_a_component_run_again(tidegate: Tidegate, pipeline: Path) -> None:
    tidegate("run", pipeline)
    assert tidegate("cache", "clear", "--component", "train").out == "forgot 1 cache entry\n"
    tasks = tidegate("run", pipeline, "-o", "json").json["tasks"]
    assert tasks["measure"]["cache_hit"]
    assert not tasks["train"]["cache_hit"]

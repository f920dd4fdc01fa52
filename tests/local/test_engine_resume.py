"""Runs that end before their time: killed, cancelled, out of disk; and how they go on."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.local.lab import ROOT, Lab, reached, said
from tests.local.tasks import until
from tidegate.local import engine
from tidegate.store import StoreError
from tidegate.store.digests import read


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9, as it hits the engine alone: its workers and its tasks live on for a moment."""
    process.kill()
    process.communicate()


def test_a_killed_run_shows_as_interrupted_and_resumes_where_it_was(lab: Lab) -> None:
    gate = lab.folder / "gate"
    process = lab.engine("run", "gated", gate=str(gate))
    assert reached(gate)
    run = lab.latest()
    assert lab.state(run) == "running"
    kill(process)
    assert lab.state(run) == "interrupted"
    gate.touch()
    resumed = said(lab.engine("resume", run))
    assert (resumed["id"], resumed["state"]) == (run, "succeeded")
    ran = Counter(lab.lines)
    assert ran == {"make 2": 1, "wait w": 2, "note w": 1, "note exit": 1}


def test_what_a_lost_task_still_writes_is_not_what_the_resumed_one_made(lab: Lab) -> None:
    gate = lab.folder / "gate"
    process = lab.engine("run", "gated", gate=str(gate))
    assert reached(gate)
    kill(process)
    run = lab.latest()
    with lab.store() as store:
        lost = store.runs.task(run, "wait").folder
    gate.touch()
    said(lab.engine("resume", run))
    with lab.store() as store:
        assert store.runs.task(run, "wait").folder != lost


KILLS = int(os.environ.get("TIDEGATE_KILLS", "3"))
"""How many kills are tried; 200 for a release."""
LABYRINTH = {f"note {item}{step}" for item in "abcde" for step in ("", "2")}
LABYRINTH |= {"make 7", "count", "note never twice", "note a2,b2,c2,d2,e2", "note exit"}


def begun(lab: Lab) -> bool:
    runs = lab.folder / "store" / "runs"
    return runs.exists() and any(runs.iterdir())


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_any_instant_a_run_ends_the_same_and_repeats_nothing_finished(lab: Lab, seed: int) -> None:
    """TIDEGATE_KILLS=200: at instants all over a run, the resumed engine too."""
    chance = random.Random(seed)
    started = time.monotonic()
    process = lab.engine("run", "labyrinth")
    assert until(lambda: begun(lab), 60)
    time.sleep(chance.uniform(0, (time.monotonic() - started) * 1.5))  # a start takes as long as the rest, about
    kill(process)
    kills = 1
    with lab.store() as store:
        if not store.runs.listing():
            return  # killed before there was a run
        run = store.runs.resolve("latest")
    while lab.state(run) == "interrupted":
        with lab.store() as store:
            finished = {task.path: task.folder for task in store.runs.tasks(run) if task.kind == "task" and task.ended}
        resumed = lab.engine("resume", run)
        if chance.random() < 0.4 and kills < 4:
            time.sleep(chance.uniform(0, (time.monotonic() - started) * 0.5))
            kill(resumed)
            kills += 1
        else:
            assert said(resumed)["state"] == "succeeded"
        with lab.store() as store:
            now = {task.path: task.folder for task in store.runs.tasks(run)}
        assert finished.items() <= now.items()  # what had finished was not done again
    with lab.store() as store:
        record = store.runs.get(run)
        outputs = {task.path: task.output_parameters for task in record.tasks if task.kind == "task"}
        data = next(task for task in record.tasks if task.path.endswith("/make")).outputs["data"][0]
    assert record.state == "succeeded"
    assert outputs["exit-handler-1/total"] == {"Output": "a2,b2,c2,d2,e2"}
    assert outputs["exit-handler-1/count"] == {"Output": 7}
    assert read(Path(data.uri)).digest == data.digest
    ran = Counter(lab.lines)
    assert set(ran) == LABYRINTH
    assert sum(ran.values()) - len(ran) <= 3 * kills  # what ran at a kill: two of the loop, one beside it


def test_a_run_cannot_be_resumed_twice_at_once_nor_when_it_is_done(lab: Lab) -> None:
    gate = lab.folder / "gate"
    process = lab.engine("run", "gated", gate=str(gate))
    assert reached(gate)
    run = lab.latest()
    assert f"run {run} is being driven by process {process.pid}" in said(lab.engine("resume", run))["error"]
    gate.touch()
    assert said(process)["state"] == "succeeded"
    assert "succeeded: nothing is left to do" in said(lab.engine("resume", run))["error"]


def test_cancelled_from_outside_a_run_stops_at_once_and_its_exit_task_still_runs(lab: Lab) -> None:
    gate = lab.folder / "gate"
    process = lab.engine("run", "gated", gate=str(gate))
    assert reached(gate)
    with lab.store() as store:
        run = engine.cancel("latest", store=store)
    assert said(process)["state"] == "cancelled"
    assert lab.lines == ["make 2", "note exit", "wait w"]
    with lab.store() as store:
        states = {task.path.rsplit("/", 1)[-1]: task.state for task in store.runs.tasks(run)}
        with pytest.raises(StoreError, match="is not running: it is cancelled"):
            engine.cancel(run, store=store)
    assert states["make"] == "succeeded"
    assert states["wait"] == "cancelled"


def test_ctrl_c_cancels_and_what_was_done_is_not_done_again(lab: Lab) -> None:
    gate = lab.folder / "gate"
    process = lab.engine("run", "gated", gate=str(gate))
    assert reached(gate)
    process.send_signal(signal.SIGINT)
    cancelled = said(process)
    assert cancelled["state"] == "cancelled"
    gate.touch()
    resumed = said(lab.engine("resume", cancelled["id"]))
    assert resumed["state"] == "succeeded"
    assert resumed["id"] != cancelled["id"]
    with lab.store() as store:
        record = store.runs.get(resumed["id"])
        make = store.runs.task(record.id, "make")
    assert record.parent == cancelled["id"]
    assert (make.state, make.cached_from) == ("cached", cancelled["id"])


def test_a_retry_takes_over_even_what_is_not_cached_and_runs_what_failed(lab: Lab) -> None:
    good = lab.folder / "good"
    failed = lab.run("spoiled", {"caching": False, "check": False}, good=str(good))
    good.touch()
    resumed = said(lab.engine("resume", failed.id))
    assert resumed["state"] == "succeeded"
    assert lab.lines == ["make 2", "spoil", "spoil"]


def test_retry_from_a_task_does_it_and_all_that_follows_again(lab: Lab, retried) -> None:  # type: ignore[no-untyped-def]
    first = lab.run("maze", items=["a", "b"])
    before = len(lab.lines)
    again = retried(first.id, from_task="for-loop-2/1/note-3")
    states = {task.path: (task.state, task.why_missed) for task in again.tasks if task.kind == "task"}
    inside = "exit-handler-1/for-loop-2"
    follows = f"follows {inside}/1/note-3, which is done again (--from)"
    assert states == {
        f"{inside}/0/note-2": ("cached", ""),
        f"{inside}/0/note-3": ("cached", ""),
        f"{inside}/1/note-2": ("cached", ""),
        f"{inside}/1/note-3": ("succeeded", "to be done again (--from)"),
        "exit-handler-1/total": ("succeeded", follows),
        "exit-handler-1/condition-3/note-4": ("succeeded", follows),
        "note": ("succeeded", follows),
    }
    assert len(lab.lines) == before + 3  # `total` leaves no trace


def test_a_retry_that_was_killed_still_knows_what_to_do_again(lab: Lab, retried) -> None:  # type: ignore[no-untyped-def]
    first = lab.run("two")
    script = (
        "import asyncio, os; from tests.local.lab import *; from tidegate.local import engine, settings; "
        "from tidegate.local.lookup import Lookup; Lookup.ask = lambda *_: os._exit(9); "
        "from tidegate.local.workers import Workers\n"
        "async def main():\n"
        f"    folder = Path({str(lab.folder)!r})\n"
        "    with Store(folder / 'store') as store:\n"
        f"        await engine.retry({first.id!r}, store=store, workers=Workers(settings.defaults(folder)), "
        "from_task='make')\n"
        "asyncio.run(main())"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 9
    with lab.store() as store:
        killed = store.runs.listing()[0]
    assert killed.state == "interrupted"
    assert said(lab.engine("resume", killed.id))["state"] == "succeeded"
    assert lab.lines == ["count", "count", "make 3", "make 3"]


def test_retry_with_another_parameter_runs_only_what_that_reaches(lab: Lab, retried) -> None:  # type: ignore[no-untyped-def]
    first = lab.run("two", {"caching": False})
    again = retried(first.id, parameters={"add": 5})
    assert {task.path: task.state for task in again.tasks} == {"make": "cached", "count": "succeeded"}
    assert again.outputs["parameters"] == {"Output": 8}
    assert again.parameters["n"] == 3


@pytest.fixture
def retried(lab: Lab):  # type: ignore[no-untyped-def]
    import asyncio

    from tidegate.local.settings import defaults
    from tidegate.local.workers import Workers

    def retry(run: str, **how: object):  # type: ignore[no-untyped-def]
        async def perform():  # type: ignore[no-untyped-def]
            workers = Workers(defaults(lab.folder))
            with lab.store() as store:
                record = await engine.retry(run, store=store, workers=workers, **how)  # type: ignore[arg-type]
            await workers.close()
            return record

        return asyncio.run(perform())

    return retry


def test_two_runs_at_once_on_one_store_do_not_disturb_each_other(lab: Lab) -> None:
    one, two = lab.engine("run", "maze"), lab.engine("run", "maze")
    assert said(one)["state"] == said(two)["state"] == "succeeded"
    third = lab.run("maze")
    assert {task.state for task in third.tasks.values()} == {"cached"}


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_on_a_full_disk_a_run_stops_with_what_to_do_and_goes_on_later(lab: Lab) -> None:
    lab.run("two")  # the workers are warm, and not of the process whose disk is full
    full = said(lab.engine("run", "maze", _small_files, items=[str(number) * 1500 for number in range(10, 40)]))
    assert "no space is left" in full["error"]
    assert "resume" in full["error"]
    run = lab.latest()
    assert lab.state(run) == "interrupted"
    before = Counter(lab.lines)
    assert said(lab.engine("resume", run))["state"] == "succeeded"
    repeated = [line for line, times in Counter(lab.lines).items() if times > 1]
    assert len(repeated) <= 2
    assert before


def test_sigterm_twice_ends_even_the_exit_task(lab: Lab) -> None:
    gate = lab.folder / "gate"
    process = lab.engine("run", "slow_exit", gate=str(gate))
    assert reached(gate)
    process.send_signal(signal.SIGTERM)
    assert until(lambda: "wait exit" in lab.lines, 20)
    process.send_signal(signal.SIGTERM)
    assert said(process)["state"] == "cancelled"

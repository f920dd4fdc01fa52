"""Warm workers come and go by themselves, whoever is killed; what they have imported, tasks get without waiting."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.tasks import Bench, alive, kill, processes_with, short_folder, until, with_host, worker_processes
from tidegate.local import connection
from tidegate.local.execution import Ending, Execution, Outcome
from tidegate.local.settings import SettingsError

SLEEP = "open('began', 'w').close(); import time; time.sleep(60)"


@pytest.fixture
def runtime() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def bench(tmp_path: Path, runtime: Path) -> Bench:
    return Bench(tmp_path, runtime)


def supervisor(runtime: Path) -> int:
    """The process that all other processes of the worker descend from."""
    everyone = worker_processes(runtime)
    return next(pid for pid in everyone if _parent(pid) not in everyone)


def _parent(pid: int) -> int:
    return int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])


def began(execution: Execution) -> bool:
    return (execution.workdir / "began").exists()


async def while_running(bench: Bench, execution: Execution, act) -> Outcome:  # type: ignore[no-untyped-def]
    """Run, and `act` once the task has begun."""
    workers = bench.workers(grace=0.5)
    running = asyncio.ensure_future(workers.run(execution))
    while not began(execution):
        await asyncio.sleep(0.01)
    act()
    try:
        return await asyncio.wait_for(running, 10)
    finally:
        await workers.close()


# ---------------------------------------------------------------- coming and going
def test_a_worker_stays_for_the_next_client(bench: Bench) -> None:
    bench.python("pass")
    first = supervisor(bench.runtime)
    bench.python("pass")
    assert supervisor(bench.runtime) == first


def test_a_worker_ends_when_nobody_has_needed_it_for_long_enough(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_WORKERS_IDLE", "0.3")
    bench.python("import time; time.sleep(0.6)")
    assert until(lambda: not worker_processes(bench.runtime))
    assert list(bench.runtime.glob("*.sock")) == []
    assert bench.python("print('again')").lines == ["again"]


def test_workers_can_be_switched_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_WORKERS", "off")
    ran = bench.python("print(1)", warm=None)
    assert ran.outcome.ending is Ending.SUCCEEDED
    assert ran.outcome.details == {"worker": "fresh", "why": "TIDEGATE_WORKERS=off"}
    assert worker_processes(bench.runtime) == []


def test_an_idle_time_that_is_none_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_WORKERS_IDLE", "5 minutes")
    with pytest.raises(SettingsError, match="TIDEGATE_WORKERS_IDLE: expected seconds, found '5 minutes'"):
        bench.workers()


def test_two_clients_that_start_at_once_share_one_worker(bench: Bench) -> None:
    executions = [bench.execution("python3", "-c", "print(1)") for _ in range(6)]

    async def play() -> list[Outcome]:
        all_workers = [bench.workers() for _ in executions]
        try:
            return list(await asyncio.gather(*(w.run(e) for w, e in zip(all_workers, executions, strict=True))))
        finally:
            for workers in all_workers:
                await workers.close()

    assert {outcome.ending for outcome in asyncio.run(play())} == {Ending.SUCCEEDED}

    def supervisors() -> int:
        everyone = worker_processes(bench.runtime)
        return len([pid for pid in everyone if _parent(pid) not in everyone])

    assert until(lambda: supervisors() == 1)  # those that came too late are still leaving


def test_a_worker_for_another_state_of_the_environment_takes_over(bench: Bench) -> None:
    bench.python("pass")
    first = supervisor(bench.runtime)
    other = Bench(bench.folder / "other", bench.runtime, with_host(bench.folder, env={"ANOTHER": "1"}))
    assert other.python("import os; print(os.environ['ANOTHER'])").lines == ["1"]
    assert until(lambda: not alive(first))


def test_a_folder_that_others_can_enter_is_not_used(tmp_path: Path, runtime: Path) -> None:
    open_to_all = runtime / "open"
    open_to_all.mkdir(mode=0o755)
    assert connection.runtime_folder(open_to_all) != open_to_all
    link = runtime / "link"
    link.symlink_to(runtime)
    assert connection.runtime_folder(link) != link
    assert connection.runtime_folder(tmp_path / ("long" * 30)) != tmp_path / ("long" * 30)


def test_where_no_worker_can_come_up_tasks_run_without(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(given: Path | None = None) -> Path:
        raise connection.NoWorker("/run: read-only")

    monkeypatch.setattr(connection, "runtime_folder", nowhere)
    ran = bench.python("print(1)")
    assert ran.outcome.ending is Ending.SUCCEEDED
    assert ran.outcome.details == {"worker": "fresh", "why": "/run: read-only"}


def test_a_task_that_sets_what_interpreters_read_at_their_start_gets_one_of_its_own(bench: Bench) -> None:
    ran = bench.python("import sys; print(sys.flags.optimize, hash('a') != 0)", env={"PYTHONOPTIMIZE": "1"})
    assert ran.lines == ["1 True"]
    assert ran.outcome.details["worker"] == "fresh"


# ---------------------------------------------------------------- deaths
@pytest.mark.parametrize("who", ["supervisor", "all at once"])
def test_a_killed_worker_loses_its_tasks_at_once_and_the_next_run_has_a_new_one(bench: Bench, who: str) -> None:
    execution = bench.execution(
        "python3", "-c", "import os, subprocess; p = subprocess.Popen(['sleep', '61.7'])\n" + SLEEP
    )

    def act() -> None:
        for pid in worker_processes(bench.runtime) if who == "all at once" else [supervisor(bench.runtime)]:
            kill(pid)

    outcome = asyncio.run(while_running(bench, execution, act))
    assert outcome.ending is Ending.KILLED
    assert outcome.error == "the worker process that ran the task was killed"
    assert until(lambda: not processes_with(b"sleep\x0061.7"))
    assert until(lambda: not worker_processes(bench.runtime))
    assert bench.python("print('again')").lines == ["again"]


def test_a_killed_zygote_loses_its_tasks_at_once(bench: Bench) -> None:
    execution = bench.execution("python3", "-c", SLEEP)

    def act() -> None:
        first = supervisor(bench.runtime)
        kill(next(pid for pid in worker_processes(bench.runtime) if _parent(pid) == first))

    outcome = asyncio.run(while_running(bench, execution, act))
    assert outcome.ending is Ending.KILLED
    assert outcome.exit_code == -signal.SIGKILL
    assert bench.python("print('again')").lines == ["again"]


def test_tasks_do_not_outlive_a_killed_client(bench: Bench, tmp_path: Path) -> None:
    client = tmp_path / "client.py"
    client.write_text(
        textwrap.dedent(f"""
        import sys; sys.path.insert(0, {str(Path.cwd())!r})
        from pathlib import Path
        from tests.local.tasks import Bench
        Bench(Path({str(tmp_path)!r}) / "other", Path({str(bench.runtime)!r})).run(
            "sh", "-c", "sleep 62.3; echo never")
        """)
    )
    process = subprocess.Popen([sys.executable, str(client)])
    assert until(lambda: processes_with(b"sleep\x0062.3"))
    process.kill()
    process.wait()
    assert until(lambda: not processes_with(b"sleep\x0062.3"))
    assert alive(supervisor(bench.runtime))
    assert bench.python("print('still warm')").lines == ["still warm"]


def test_without_warm_workers_tasks_do_not_outlive_a_killed_client_either(tmp_path: Path) -> None:
    client = tmp_path / "client.py"
    client.write_text(
        textwrap.dedent(f"""
        import sys; sys.path.insert(0, {str(Path.cwd())!r})
        from pathlib import Path
        from tests.local.tasks import Bench
        Bench(Path({str(tmp_path)!r}) / "other", Path("/nowhere")).run(
            "sh", "-c", "sleep 63.1; echo never", warm=False)
        """)
    )
    process = subprocess.Popen([sys.executable, str(client)])
    assert until(lambda: processes_with(b"sleep\x0063.1"))
    process.kill()
    process.wait()
    assert until(lambda: not processes_with(b"sleep\x0063.1"))


# ---------------------------------------------------------------- what is imported ahead
@pytest.fixture
def preloading(tmp_path: Path, runtime: Path) -> Bench:
    """A worker that preloads `first_slow` (0.5 s) and then `second_slow` (2 s)."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "first_slow.py").write_text("import os, time; time.sleep(0.5); LOADED_BY = os.getpid()")
    (modules / "second_slow.py").write_text("import os, time; time.sleep(2); LOADED_BY = os.getpid()")
    env = {"PYTHONPATH": str(modules)}
    return Bench(tmp_path, runtime, with_host(tmp_path, preload=("first_slow", "second_slow"), env=env))


def test_a_task_waits_only_for_what_it_imports(preloading: Bench) -> None:
    light = preloading.execution("python3", "-c", "print('light')")
    first = preloading.execution("python3", "-c", "import os, first_slow; print(first_slow.LOADED_BY != os.getpid())")

    async def play() -> tuple[Outcome, Outcome]:
        workers = preloading.workers()
        try:
            return await workers.run(light), await workers.run(first)
        finally:
            await workers.close()

    first_light, first_heavy = asyncio.run(play())
    assert first_light.details["worker"] == "warm"
    assert first_heavy.details["worker"] == "first_slow"
    assert first.log.read_text() == "True\n"
    second = preloading.python("import os, second_slow; print(second_slow.LOADED_BY != os.getpid())")
    assert second.lines == ["True"]
    assert second.outcome.details["worker"] == "second_slow"
    assert second.outcome.started > first_heavy.ended


def test_a_task_that_waits_for_imports_can_be_stopped(preloading: Bench) -> None:
    execution = preloading.execution("python3", "-c", "import second_slow; print('ran')")

    async def play() -> Outcome:
        workers = preloading.workers()
        running = asyncio.ensure_future(workers.run(execution))
        await asyncio.sleep(0.4)
        await workers.stop(execution.id)
        try:
            return await asyncio.wait_for(running, 1)
        finally:
            await workers.close()

    outcome = asyncio.run(play())
    assert outcome.ending is Ending.STOPPED
    assert not execution.log.exists()


def test_a_task_that_changes_what_libraries_read_imports_them_itself(preloading: Bench) -> None:
    ran = preloading.python("import os, first_slow; print(first_slow.LOADED_BY == os.getpid())", env={"TF_X": "1"})
    assert ran.lines == ["True"]


@pytest.mark.parametrize("breaks", ["raise ImportError('no such library')", "import os; os.abort()"])
def test_a_module_that_cannot_be_preloaded_stops_nothing(tmp_path: Path, runtime: Path, breaks: str) -> None:
    (tmp_path / "broken_ahead.py").write_text(breaks)
    bench = Bench(tmp_path, runtime, with_host(tmp_path, preload=("broken_ahead",), env={"PYTHONPATH": str(tmp_path)}))
    assert bench.python("print('light')").lines == ["light"]
    outcome = bench.python("import broken_ahead").outcome
    assert outcome.ending is not Ending.SUCCEEDED
    assert "no such library" in outcome.error or outcome.exit_code == -signal.SIGABRT


def test_many_tasks_at_once_all_come_back(bench: Bench) -> None:
    executions = [bench.execution("python3", "-c", f"print({number})") for number in range(60)]

    async def play() -> list[Outcome]:
        workers = bench.workers()
        try:
            return list(await asyncio.gather(*map(workers.run, executions)))
        finally:
            await workers.close()

    started = time.monotonic()
    outcomes = asyncio.run(play())
    assert {outcome.ending for outcome in outcomes} == {Ending.SUCCEEDED}
    assert [execution.log.read_text() for execution in executions] == [f"{number}\n" for number in range(60)]
    assert time.monotonic() - started < 60  # a hang, not a measure

"""What a task finds and what becomes of it; the same in a warm worker and in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.tasks import Bench, Ran, alive, short_folder, until, with_host
from tidegate.local.execution import Ending, Outcome

MB = 2**20


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def bench(tmp_path: Path, runtime: Path) -> Bench:
    return Bench(tmp_path, runtime)


@pytest.fixture(params=[True, False], ids=["warm", "off"])
def warm(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_a_program_runs_to_its_end(bench: Bench, warm: bool) -> None:
    ran = bench.python("import sys; print('hello', sys.argv[1:])", "a", "b c", warm=warm)
    assert ran.outcome.ending is Ending.SUCCEEDED
    assert ran.outcome.exit_code == 0
    assert ran.lines == ["hello ['a', 'b c']"]
    assert (ran.outcome.details["worker"] == "fresh") is not warm
    assert 0 < ran.outcome.started <= ran.outcome.ended <= time.time()


def test_a_task_sees_its_own_variables_and_nothing_of_the_callers(
    bench: Bench, warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "the caller's")
    ran = bench.python("import os, json; print(json.dumps(dict(os.environ)))", warm=warm, env={"MINE": "1"})
    seen = json.loads(ran.log)
    assert seen["MINE"] == "1"
    assert "MY_SECRET" not in seen
    assert seen["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert seen["HOME"] == os.environ["HOME"]


def test_variables_of_the_environment_and_those_it_lets_through_are_there(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "me")
    bench = Bench(tmp_path, runtime, with_host(tmp_path, env={"LEVEL": "3"}, pass_env=("AWS_*",)))
    ran = bench.python("import os; print(os.environ['LEVEL'], os.environ['AWS_PROFILE'])")
    assert ran.lines == ["3 me"]
    assert bench.python("import os; print(os.environ['LEVEL'])", env={"LEVEL": "4"}).lines == ["4"]


def test_a_secret_of_one_task_is_not_in_the_next(bench: Bench) -> None:
    ask = "import os; print(os.environ.get('TOKEN_OF_ONE'), os.popen('echo $TOKEN_OF_ONE').read().strip())"
    assert bench.python(ask, env={"TOKEN_OF_ONE": "s3cret"}).lines == ["s3cret s3cret"]
    assert bench.python(ask).lines == ["None "]


def test_what_was_let_through_for_one_caller_is_not_there_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = "import os; print(os.environ.get('AWS_PROFILE'))"
    with short_folder() as runtime:
        bench = Bench(tmp_path, runtime, with_host(tmp_path, pass_env=("AWS_*",)))
        monkeypatch.setenv("AWS_PROFILE", "first")  # the worker is started with it
        assert bench.python(ask).lines == ["first"]
        monkeypatch.delenv("AWS_PROFILE")
        assert bench.python(ask).lines == ["None"]


def test_a_task_has_its_working_folder_and_an_empty_input(bench: Bench, warm: bool) -> None:
    ran = bench.python(
        "import os, sys; print(os.getcwd()); print(repr(sys.stdin.read())); open('made', 'w').close()", warm=warm
    )
    assert ran.lines == [str(ran.execution.workdir), "''"]
    assert (ran.execution.workdir / "made").exists()


def test_modules_are_fresh_in_each_task(bench: Bench) -> None:
    count = "import json; json.seen = getattr(json, 'seen', 0) + 1; print(json.seen)"
    assert [bench.python(count).lines for _ in range(3)] == [["1"]] * 3


def test_a_module_that_changed_between_two_tasks_is_seen_as_it_is(bench: Bench, tmp_path: Path) -> None:
    script, module = tmp_path / "script.py", tmp_path / "helper_of_script.py"
    script.write_text("import helper_of_script; print(helper_of_script.VALUE)")
    module.write_text("VALUE = 'old'")
    assert bench.run("python3", str(script)).lines == ["old"]
    module.write_text("VALUE = 'newer'")
    assert bench.run("python3", str(script)).lines == ["newer"]


def test_random_numbers_differ_from_task_to_task(bench: Bench) -> None:
    draws = {bench.python("import random; print(random.random())").log for _ in range(3)}
    assert len(draws) == 3


def test_sets_iterate_alike_in_every_task(bench: Bench, warm: bool) -> None:
    show = "print(list({'alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'}))"
    assert bench.python(show, warm=warm).log == bench.python(show, warm=not warm).log


def test_a_lightweight_component_runs(bench: Bench, warm: bool) -> None:
    ran = bench.function(
        """
        def component(n: int) -> str:
            print('got', n)
            return str(n + 1)
        """,
        {"n": 41},
        warm=warm,
    )
    assert ran.outcome.ending is Ending.SUCCEEDED, ran.log
    assert ran.lines == ["got 41"]
    assert json.loads((bench.folder / "output.json").read_text()) == {"parameterValues": {"Output": "42"}}


def test_what_a_component_logs_is_in_its_log(bench: Bench) -> None:
    ran = bench.function(
        "def component() -> str:\n    import logging\n    logging.info('so far, so good')\n    return ''"
    )
    assert ran.log.endswith("so far, so good\n")
    assert len(ran.lines) == 1


def test_a_module_runs_as_main(bench: Bench, warm: bool) -> None:
    ran = bench.run("python3", "-m", "json.tool", "--help", warm=warm)
    assert ran.outcome.ending is Ending.SUCCEEDED
    assert ran.log.startswith("usage: python -m json.tool")


def test_a_module_of_the_working_folder_runs(bench: Bench) -> None:
    execution = bench.execution("python3", "-m", "program", "x")
    (execution.workdir / "program.py").write_text("import sys; print(__name__, sys.argv[1:])")
    assert bench.perform(execution).lines == ["__main__ ['x']"]


def test_multiprocessing_works(bench: Bench, tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(
        "import multiprocessing as mp, sys\n"
        "def square(x): return x * x\n"
        "if __name__ == '__main__':\n"
        "    for how in ('fork', 'spawn'):\n"
        "        with mp.get_context(how).Pool(2) as pool: print(pool.map(square, range(3)))\n"
    )
    assert bench.run("python3", str(script)).lines == ["[0, 1, 4]"] * 2


def test_another_program_runs_verbatim(bench: Bench, warm: bool) -> None:
    ran = bench.run("sh", "-c", 'echo "$0 $1"; command -v python3', "a b", "$HOME", warm=warm)
    assert ran.lines == ["a b $HOME", str(Path(sys.executable).parent / "python3")]


def test_what_a_script_of_its_own_installs_stays_out_of_the_environment(bench: Bench) -> None:
    ran = bench.run("sh", "-c", 'echo "$PIP_TARGET"; python3 -c "import sys; print(sys.path[1])"; : pip install x')
    assert ran.lines == [f"{ran.execution.workdir}.code/packages"] * 2


def test_exit_handlers_and_threads_come_to_their_end(bench: Bench) -> None:
    ran = bench.python(
        """
        import atexit, sys, threading, time
        atexit.register(print, 'at exit')
        threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()
        sys.stdout.write('no line end')
        """
    )
    assert ran.log == "no line endthread\nat exit\n"


# ---------------------------------------------------------------- failures
def test_an_exception_fails_the_task_with_its_last_line_and_the_users_frames(bench: Bench, warm: bool) -> None:
    ran = bench.function(
        """
        def component() -> str:
            def inner():
                raise ValueError('the label column is missing')
            inner()
        """,
        warm=warm,
    )
    assert ran.outcome.ending is Ending.FAILED
    assert ran.outcome.error == "ValueError: the label column is missing"
    assert ran.outcome.exit_code == 1
    assert [line.rpartition("in ")[2] for line in ran.lines if line.startswith("  File")] == ["component", "inner"]


def test_a_component_error_is_only_its_message(bench: Bench) -> None:
    ran = bench.python(
        """
        from tidegate.components.errors import ComponentError
        raise ComponentError('data.csv, line 3: expected 4 columns, found 5\\nset max_bad_rows to skip it')
        """
    )
    message = "data.csv, line 3: expected 4 columns, found 5\nset max_bad_rows to skip it"
    assert ran.outcome.error == message
    assert ran.log == f"{message}\n"


def test_a_syntax_error_is_shown_whole(bench: Bench) -> None:
    ran = bench.function("def component() -> str:\n    return 1 +\n")
    assert ran.outcome.error == "SyntaxError: invalid syntax (ephemeral_component.py, line 7)"
    assert "return 1 +" in ran.log


@pytest.mark.parametrize(
    ("source", "ending", "code", "error"),
    [
        ("import sys; sys.exit(3)", Ending.FAILED, 3, "exit status 3"),
        ("import sys; print('why'); sys.exit(3)", Ending.FAILED, 3, "why (exit status 3)"),
        ("import sys; sys.exit('no data')", Ending.FAILED, 1, "no data"),
        ("import sys; sys.exit(0)", Ending.SUCCEEDED, 0, ""),
        ("import os; os._exit(7)", Ending.FAILED, 7, "exit status 7"),
        ("raise KeyboardInterrupt", Ending.FAILED, 130, "KeyboardInterrupt"),
        ("import os; os.kill(os.getpid(), 11)", Ending.KILLED, -11, "killed by a segmentation fault (SIGSEGV)"),
        ("import os; os.kill(os.getpid(), 9)", Ending.KILLED, -9, "killed by signal 9 (SIGKILL)"),
    ],
)
def test_how_a_task_can_end(bench: Bench, warm: bool, source: str, ending: Ending, code: int, error: str) -> None:
    outcome = bench.python(source, warm=warm).outcome
    assert (outcome.ending, outcome.exit_code, outcome.error) == (ending, code, error)


def test_a_program_that_is_not_there(bench: Bench, warm: bool) -> None:
    outcome = bench.run("no-such-program", "x", warm=warm).outcome
    assert outcome.ending is Ending.FAILED
    assert outcome.error == "no-such-program: no such command in this environment"


def test_an_image_without_an_environment_is_refused_with_the_line_to_add(bench: Bench) -> None:
    outcome = bench.run("true", image="registry.example/team/image:7").outcome
    assert outcome.ending is Ending.REFUSED
    assert '"registry.example/team/image:7" = "host"' in outcome.error
    assert str(bench.folder / "tidegate.toml") in outcome.error


def test_a_crash_ends_only_its_own_task(bench: Bench) -> None:
    crash = bench.execution("python3", "-c", "import os, time; time.sleep(0.2); os.abort()")
    other = bench.execution("python3", "-c", "import time; time.sleep(0.6); print('unharmed')")

    async def both() -> list[Outcome]:
        workers = bench.workers()
        try:
            return list(await asyncio.gather(workers.run(crash), workers.run(other)))
        finally:
            await workers.close()

    first, second = asyncio.run(both())
    assert (first.ending, second.ending) == (Ending.KILLED, Ending.SUCCEEDED)
    assert other.log.read_text() == "unharmed\n"


# ---------------------------------------------------------------- limits
def test_a_task_above_its_memory_limit_is_killed(bench: Bench, warm: bool) -> None:
    ran = bench.python("kept = bytearray(400 << 20); import time; time.sleep(20)", warm=warm, memory=150 * MB)
    assert ran.outcome.ending is Ending.OUT_OF_MEMORY
    assert "its limit is 150 MiB" in ran.outcome.error
    assert ran.outcome.peak_memory > 140 * MB


def test_memory_of_child_processes_counts(bench: Bench) -> None:
    ran = bench.python(
        """
        import subprocess, sys
        hog = [sys.executable, '-c', 'kept = bytearray(120 << 20); import time; time.sleep(20)']
        for process in [subprocess.Popen(hog) for _ in range(2)]: process.wait()
        """,
        memory=180 * MB,
    )
    assert ran.outcome.ending is Ending.OUT_OF_MEMORY


def test_memory_below_the_limit_is_no_matter(bench: Bench) -> None:
    ran = bench.python("kept = bytearray(60 << 20); import time; time.sleep(0.7)", memory=200 * MB)
    assert ran.outcome.ending is Ending.SUCCEEDED
    assert 60 * MB < ran.outcome.peak_memory < 120 * MB


def test_processor_time_counts_that_of_children(bench: Bench) -> None:
    ran = bench.python(
        """
        import subprocess, sys
        subprocess.run([sys.executable, '-c', 'import time\\nwhile time.process_time() < 0.3: pass'])
        """
    )
    assert ran.outcome.cpu_seconds >= 0.3


def test_a_task_that_runs_too_long_is_ended(bench: Bench, warm: bool) -> None:
    outcome = bench.python("import time; time.sleep(20)", warm=warm, timeout=0.2).outcome
    assert outcome.ending is Ending.TIMED_OUT
    assert outcome.error == "timed out: the task ran longer than 0.2 s"
    assert outcome.ended - outcome.started < 10


def test_a_task_that_ignores_the_end_of_its_time_is_killed(bench: Bench) -> None:
    ran = bench.python(
        "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('no', flush=True)); time.sleep(20)\n"
        "time.sleep(20)",
        timeout=0.3,
    )
    assert ran.outcome.ending is Ending.TIMED_OUT
    assert ran.outcome.exit_code == -9
    assert ran.lines == ["no"]


# ---------------------------------------------------------------- stopping
def stop_when(bench: Bench, source: str, how: str, warm: bool = True) -> tuple[Outcome | None, Ran]:
    """Start `source`, wait until it has written the file `began`, then stop it."""
    execution = bench.execution("python3", "-c", source)

    async def play() -> Outcome | None:
        workers = bench.workers(warm=warm, grace=0.5)
        running = asyncio.ensure_future(workers.run(execution))
        while not (execution.workdir / "began").exists():
            await asyncio.sleep(0.01)
        if how == "stop":
            await workers.stop(execution.id)
        elif how == "cancel":
            running.cancel()
        else:
            await workers.close()
        try:
            return await running
        except asyncio.CancelledError:
            return None
        finally:
            await workers.close()

    outcome = asyncio.run(play())
    return outcome, Ran(outcome or Outcome(Ending.STOPPED), execution)


@pytest.mark.parametrize("how", ["stop", "close"])
def test_stopping_lets_a_task_clean_up(bench: Bench, warm: bool, how: str) -> None:
    source = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('cleaned up'), sys.exit(1)))\n"
        "open('began', 'w').close(); time.sleep(20)"
    )
    outcome, ran = stop_when(bench, source, how, warm)
    assert outcome is not None
    assert outcome.ending is Ending.STOPPED
    assert ran.lines == ["cleaned up"]


def test_cancelling_stops_the_task_and_all_its_processes(bench: Bench) -> None:
    source = (
        "import os, subprocess, sys, time\n"
        "run = lambda **more: subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], **more)\n"
        "children = [run(), run(start_new_session=True)]\n"
        "open('pids', 'w').write(' '.join(str(p.pid) for p in children) + f' {os.getpid()}')\n"
        "open('began', 'w').close(); time.sleep(60)"
    )
    outcome, ran = stop_when(bench, source, "cancel")
    assert outcome is None
    pids = [int(pid) for pid in (ran.execution.workdir / "pids").read_text().split()]
    assert len(pids) == 3
    assert until(lambda: not any(map(alive, pids)))


def test_what_a_task_leaves_running_is_ended_with_it(bench: Bench) -> None:
    ran = bench.python(
        """
        import subprocess, sys
        for more in ({}, {'start_new_session': True}):
            print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], **more).pid)
        """
    )
    assert ran.outcome.ending is Ending.SUCCEEDED
    pids = [int(line) for line in ran.lines]
    assert len(pids) == 2
    assert until(lambda: not any(map(alive, pids)))


def test_stopping_what_does_not_run_is_no_error(bench: Bench) -> None:
    asyncio.run(bench.workers().stop("nothing"))

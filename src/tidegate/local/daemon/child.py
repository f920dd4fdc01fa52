"""What a forked child does: become a process as good as fresh, run the program, leave."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import resource
import runpy
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

from . import processes, tracebacks, wire

_REPORT_LIMIT = 32_000  # bytes; below what a socket holds, so that writing never waits
_KILL_ME_FIRST = b"500"  # when memory runs out, the kernel takes a task, not the engine


def become(line: socket.socket, zygote: int, ours: Sequence[int]) -> NoReturn:
    """In the forked child: wait for a task on `line`, run its program, and say its error, if any, on `line`.

    `ours` are the zygote's own descriptors.
    """
    code = 1
    try:
        _part(zygote, ours)
        task = _next(line)
        _settle(task)
        code = perform(task["program"], line)
    except EOFError:
        code = 0  # the zygote needs us no more
    except BaseException as error:
        # Something of ours went wrong before the program began, such as a log that cannot be opened.
        _report(line, f"{type(error).__name__}: {error}")
    os._exit(code)


def _part(zygote: int, ours: Sequence[int]) -> None:
    """All that needs no knowledge of the task, and so can be done ahead."""
    processes.die_with_parent(zygote)
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor in ours:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(_KILL_ME_FIRST)
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()  # Python's own `random` seeds itself after a fork


def _next(line: socket.socket) -> Mapping[str, Any]:
    inbox = wire.Inbox(line)
    while True:
        for task in inbox.receive():
            return task


def _settle(task: Mapping[str, Any]) -> None:
    log = os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(null)
    os.chdir(task["cwd"])
    os.environ.clear()
    os.environ.update(task["env"])
    time.tzset()
    if tempfile := sys.modules.get("tempfile"):
        tempfile.tempdir = None  # type: ignore[attr-defined]
    for overlay in task.get("overlays", ()):
        sys.path.insert(0, overlay)


def perform(program: Mapping[str, Any], report: socket.socket) -> int:
    """Run the program as the interpreter would run it; its exit status. What it raised goes to `report`, in a line."""
    kind, args = program["kind"], list(program["args"])
    if kind == "exec":
        return _exec(args, report)
    try:
        try:
            sys.modules["__main__"] = ModuleType("__main__")
            _RUN[kind](program, args)
            code = 0
        except SystemExit as ending:
            code = _exit_code(ending, report)
        except BaseException as error:
            shown = tracebacks.show(error)
            sys.stderr.write(shown.text)
            _report(report, shown.summary)
            code = 130 if isinstance(error, KeyboardInterrupt) else 1
    finally:
        _shut_down()
    return code


def _exec(command: list[str], report: socket.socket) -> int:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, other programs do not expect that
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        message = f"{command[0]}: {'no such command in this environment' if missing else error.strerror}"
        os.write(2, f"{message}\n".encode())
        _report(report, message)
        return 127 if missing else 126


def run_kfp(program: Mapping[str, Any], args: list[str]) -> None:
    """What KFP's bootstrap script does: the component's module in a folder, and kfp's executor on it."""
    main = importlib.import_module("kfp.dsl.executor_main")
    sys.path.insert(0, os.getcwd())
    main._setup_logging()
    if not program["source"]:
        sys.argv = [main.__file__ or "", *args]
        main.executor_main()
        return
    folder, name = program["folder"], "ephemeral_component"
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{name}.py")
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(program["source"])
    os.environ["_KFP_RUNTIME"] = "true"
    sys.argv = [main.__file__ or "", "--component_module_path", path, *args]
    match args:
        case ["--executor_input", task, "--function_to_execute", function]:
            # As executor_main does, without its parser and its words to the log, which take as long as the rest.
            module = main.utils.load_module(module_name=name, module_directory=folder)
            given = json.loads(task)
            run = main.component_executor.Executor(executor_input=given, function_to_execute=getattr(module, function))
            for name, found in given["inputs"]["artifacts"].items():
                if not found["artifacts"]:  # kfp's executor takes an empty list, as empty loops give, for nothing
                    run.input_artifacts.setdefault(name, [])
            run.execute()
        case _:
            main.executor_main()


def _module(program: Mapping[str, Any], args: list[str]) -> None:
    _forget_kfp()
    sys.argv = [program["name"], *args]
    sys.path.insert(0, os.getcwd())
    runpy._run_module_as_main(program["name"])  # type: ignore[attr-defined]


def _script(program: Mapping[str, Any], args: list[str]) -> None:
    _forget_kfp()
    sys.argv = [program["name"], *args]
    path = os.path.abspath(program["name"])
    sys.path.insert(0, os.path.dirname(path))
    with open(path, "rb") as file:
        code = compile(file.read(), program["name"], "exec")
    main = sys.modules["__main__"]
    main.__file__ = program["name"]
    exec(code, main.__dict__)  # noqa: S102


def _code(program: Mapping[str, Any], args: list[str]) -> None:
    _forget_kfp()
    sys.argv = ["-c", *args]
    sys.path.insert(0, "")
    exec(compile(program["source"], "<string>", "exec"), sys.modules["__main__"].__dict__)  # noqa: S102


_RUN: Mapping[str, Callable[[Mapping[str, Any], list[str]], None]] = {
    "kfp": run_kfp,
    "module": _module,
    "script": _script,
    "code": _code,
}


def _forget_kfp() -> None:
    """The zygote has kfp in its runtime form, without the compiler; a program of another kind gets it whole."""
    for name in [name for name in sys.modules if name == "kfp" or name.startswith("kfp.")]:
        del sys.modules[name]


def _exit_code(ending: SystemExit, report: socket.socket) -> int:
    if ending.code is None or isinstance(ending.code, int):
        return (ending.code or 0) & 0xFF
    sys.stderr.write(f"{ending.code}\n")
    _report(report, str(ending.code))
    return 1


def _shut_down() -> None:
    """The interpreter's own last steps, without the slow taking apart of every module."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(BaseException):
            stream.flush()  # type: ignore[union-attr]
    processes.flush_c_streams()


def _report(report: socket.socket, text: str) -> None:
    with contextlib.suppress(OSError):
        report.sendall(text.encode("utf-8", "replace")[:_REPORT_LIMIT])

"""What a forked child does: become a process as good as fresh, run the program, leave."""

from __future__ import annotations

import atexit
import contextlib
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

from . import lightweight, processes, tracebacks, wire
from .lightweight import Modules

_REPORT_LIMIT = 32_000  # bytes; below what a socket holds, so that writing never waits
_KILL_ME_FIRST = b"500"  # when memory runs out, the kernel takes a task, not the engine


def become(
    line: socket.socket, zygote: int, ours: Sequence[int], modules: Modules, ahead: Callable[[], None] | None = None
) -> NoReturn:
    """In the forked child: wait for a task on `line`, run its program, and say its error, if any, on `line`.

    ours: the zygote's own descriptors. modules: those it has executed.
    ahead: what a child that is forked before there is a task does with its time, to be the quicker then.
    """
    code = 1
    try:
        _part(zygote, ours)
        if ahead:
            ahead()
        task = wire.receive_as_child(line)
        _settle(task)
        code = perform(task["program"], line, modules)
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


def _settle(task: Mapping[str, Any]) -> None:
    log = os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(null)
    os.chdir(task["cwd"])
    _set_variables(task["env"])
    if tempfile := sys.modules.get("tempfile"):
        tempfile.tempdir = None  # type: ignore[attr-defined]
    for overlay in task.get("overlays", ()):
        sys.path.insert(0, overlay)


def _set_variables(wanted: Mapping[str, str]) -> None:
    """Most are as the zygote has them: each that is left alone is some memory less to copy."""
    zone = os.environ.get("TZ")
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if os.environ.get("TZ") != zone:
        time.tzset()


def perform(program: Mapping[str, Any], report: socket.socket, modules: Modules | None = None) -> int:
    """Run the program as the interpreter would run it; its exit status. What it raised goes to `report`, in a line.

    modules: those that need not be executed any more.
    """
    kind, args = program["kind"], list(program["args"])
    if kind == "exec":
        return _exec(args, report)
    try:
        try:
            sys.modules["__main__"] = ModuleType("__main__")
            if kind == "kfp":
                lightweight.run(program, args, modules)
            else:
                lightweight.forget()
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


def _module(program: Mapping[str, Any], args: list[str]) -> None:
    sys.argv = [program["name"], *args]
    sys.path.insert(0, os.getcwd())
    runpy._run_module_as_main(program["name"])  # type: ignore[attr-defined]


def _script(program: Mapping[str, Any], args: list[str]) -> None:
    sys.argv = [program["name"], *args]
    path = os.path.abspath(program["name"])
    sys.path.insert(0, os.path.dirname(path))
    with open(path, "rb") as file:
        code = compile(file.read(), program["name"], "exec")
    main = sys.modules["__main__"]
    main.__file__ = program["name"]
    exec(code, main.__dict__)  # noqa: S102


def _code(program: Mapping[str, Any], args: list[str]) -> None:
    sys.argv = ["-c", *args]
    sys.path.insert(0, "")
    exec(compile(program["source"], "<string>", "exec"), sys.modules["__main__"].__dict__)  # noqa: S102


_RUN: Mapping[str, Callable[[Mapping[str, Any], list[str]], None]] = {
    "module": _module,
    "script": _script,
    "code": _code,
}


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

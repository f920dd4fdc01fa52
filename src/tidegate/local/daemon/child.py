"""What a forked child does: become a process as good as fresh, run the program, leave."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import resource
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

from . import processes, tracebacks

_REPORT_LIMIT = 32_000  # bytes; below what a pipe holds, so that writing never waits
_KILL_ME_FIRST = b"500"  # when memory runs out, the kernel takes a task, not the engine


def become(task: Mapping[str, Any], zygote: int, report: int, ours: Sequence[int]) -> NoReturn:
    """In the forked child: run `task["program"]`; its error goes to `report`. `ours` are the zygote's descriptors."""
    code = 1
    try:
        _settle(task, zygote, ours)
        code = _perform(task["program"], report)
    except BaseException as error:
        # Something of ours went wrong before the program began, such as a log that cannot be opened.
        _report(report, f"{type(error).__name__}: {error}")
    os._exit(code)


def _settle(task: Mapping[str, Any], zygote: int, ours: Sequence[int]) -> None:
    processes.die_with_parent(zygote)
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor in ours:
        os.close(descriptor)
    log = os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(null)
    os.chdir(task["cwd"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(_KILL_ME_FIRST)
    os.environ.clear()
    os.environ.update(task["env"])
    time.tzset()
    if tempfile := sys.modules.get("tempfile"):
        tempfile.tempdir = None  # type: ignore[attr-defined]
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()  # Python's own `random` seeds itself after a fork
    importlib.invalidate_caches()
    for overlay in task.get("overlays", ()):
        sys.path.insert(0, overlay)


def _perform(program: Mapping[str, Any], report: int) -> int:
    """Run the program as the interpreter would run it; its exit status."""
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


def _exec(command: list[str], report: int) -> int:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, other programs do not expect that
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        message = f"{command[0]}: {'no such command in this environment' if missing else error.strerror}"
        os.write(2, f"{message}\n".encode())
        _report(report, message)
        return 127 if missing else 126


def _kfp(program: Mapping[str, Any], args: list[str]) -> None:
    """What KFP's bootstrap script does: the component's module in a folder, and kfp's executor on it."""
    if program["source"]:
        path = os.path.join(program["folder"], "ephemeral_component.py")
        os.makedirs(program["folder"], exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(program["source"])
        os.environ["_KFP_RUNTIME"] = "true"
        args = ["--component_module_path", path, *args]
    executor = importlib.import_module("kfp.dsl.executor_main")
    sys.argv = [executor.__file__ or "", *args]
    sys.path.insert(0, os.getcwd())
    executor._setup_logging()
    logging = sys.modules["logging"]
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.pathname != executor.__file__)  # its own steps say nothing to the user
    executor.executor_main()


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
    "kfp": _kfp,
    "module": _module,
    "script": _script,
    "code": _code,
}


def _forget_kfp() -> None:
    """The zygote has kfp in its runtime form, without the compiler; a program of another kind gets it whole."""
    for name in [name for name in sys.modules if name == "kfp" or name.startswith("kfp.")]:
        del sys.modules[name]


def _exit_code(ending: SystemExit, report: int) -> int:
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


def _report(report: int, text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(report, text.encode("utf-8", "replace")[:_REPORT_LIMIT])

"""A process that has imported what tasks need and forks one child per task; no threads, so forking is safe."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from . import child, processes, wire

_SWEEP_AFTER = 0.2  # seconds after a task's end until its runaway descendants are looked for


KFP_RUNTIME = ""
"""In place of a module: kfp's executor, where the environment has it."""


def grow(place: int, controls: Sequence[socket.socket], modules: Sequence[str | None]) -> NoReturn:
    """Become the zygote at `place`: import `modules[place]` (None: nothing), fork the zygote of the next place, serve.

    `controls` are the zygotes' ends of their sockets to the supervisor, one each.
    """
    processes.adopt_orphans()
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    for control in controls[:place]:
        control.close()
    control = controls[place]
    try:
        _load(modules[place])
    except BaseException as error:
        # The supervisor sees us go, and tasks that need the module run without it and say what is wrong with it.
        sys.stderr.write(f"preload {modules[place]}: {type(error).__name__}: {error}\n")
        os._exit(1)
    gc.collect()
    gc.freeze()
    successor = 0
    if place + 1 < len(controls):
        successor = os.fork()
        if not successor:
            grow(place + 1, controls, modules)
        for later in controls[place + 1 :]:
            later.close()
    roots = sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - {__package__})
    control.sendall(wire.encode({"loaded": place, "roots": roots}))
    _Zygote(control, successor).serve()


def _load(module: str | None) -> None:
    if module != KFP_RUNTIME:
        if module:
            importlib.import_module(module)
        return
    os.environ["_KFP_RUNTIME"] = "true"  # kfp then imports only what runs components
    with contextlib.suppress(ImportError):
        importlib.import_module("kfp.dsl.executor_main")
    del os.environ["_KFP_RUNTIME"]


@dataclass(frozen=True, slots=True)
class _Task:
    key: str
    report: int
    """Where the child writes its error; a file descriptor."""


class _Zygote:
    def __init__(self, control: socket.socket, successor: int) -> None:
        self._control, self._inbox, self._successor = control, wire.Inbox(control), successor
        self._tasks: dict[int, _Task] = {}
        self._sweep_at: float | None = None
        self._awake, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> NoReturn:
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._awake, select.POLLIN)
        while True:
            ready = dict(poll.poll(None if self._sweep_at is None else _SWEEP_AFTER * 1000))
            if self._awake in ready:
                os.read(self._awake, 4096)
            if self._control.fileno() in ready:
                try:
                    for message in self._inbox.receive():
                        self._obey(message)
                except EOFError:
                    self._end_everything()
            self._reap()
            if self._sweep_at is not None and time.monotonic() >= self._sweep_at:
                self._sweep()

    def _obey(self, message: wire.Message) -> None:
        if "run" in message:
            self._run(message["run"], message["task"])
            return
        for pid, task in self._tasks.items():
            if task.key == message["kill"]:
                if message["signal"] == signal.SIGKILL:
                    processes.kill(processes.tree(pid, processes.table()))
                else:
                    processes.send(pid, message["signal"])

    def _run(self, key: str, task: Mapping[str, Any]) -> None:
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        zygote, started = os.getpid(), time.time()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(reading)
            os.close(writing)
            self._tell({"ended": key, "error": f"cannot start a process: {error.strerror}"})
            return
        if not pid:
            ours = [self._control.fileno(), self._awake, self._wake, reading, *(t.report for t in self._tasks.values())]
            child.become(task, zygote, writing, ours)
        os.close(writing)
        self._tasks[pid] = _Task(key, reading)
        self._tell({"started": key, "pid": pid, "at": started})

    def _reap(self) -> None:
        """Tell of tasks that have ended. Their groups are killed while the pid is still theirs, before it is freed."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            task = self._tasks.pop(ended.si_pid, None)
            if task:
                processes.send(ended.si_pid, signal.SIGKILL)
            _, status, usage = os.wait4(ended.si_pid, 0)
            if not task:
                continue
            self._sweep_at = time.monotonic() + _SWEEP_AFTER
            self._tell(
                {
                    "ended": task.key,
                    "exit": os.waitstatus_to_exitcode(status),
                    "at": time.time(),
                    "cpu": usage.ru_utime + usage.ru_stime,
                    "memory": usage.ru_maxrss * 1024,
                    "error": _drain(task.report),
                }
            )

    def _sweep(self) -> None:
        """Kill what ended tasks left running outside of their process groups; it has become ours by adoption."""
        me, alive = os.getpid(), {task.key for task in self._tasks.values()}
        everyone = processes.table()
        for pid, process in everyone.items():
            if process.parent != me or process.zombie or pid in self._tasks or pid == self._successor:
                continue
            if process.session in self._tasks:
                continue
            token = processes.owner(pid)
            # Without a token (forked, never exec'd, a session of its own) it may be of any task that is alive.
            if token not in alive and (token or not alive):
                processes.kill(processes.tree(pid, everyone))
        self._sweep_at = None if not self._tasks else time.monotonic() + 10 * _SWEEP_AFTER

    def _tell(self, message: wire.Message) -> None:
        with contextlib.suppress(OSError):  # a supervisor that has gone shows as the end of our inbox
            self._control.sendall(wire.encode(message))

    def _end_everything(self) -> NoReturn:
        """The supervisor has gone: no task may outlive it."""
        everyone = processes.table()
        for pid in self._tasks:
            processes.kill(processes.tree(pid, everyone))
        me = os.getpid()
        processes.kill(
            pid for pid, process in processes.table().items() if process.parent == me and pid != self._successor
        )
        os._exit(0)


def _ignore(*_: object) -> None:
    """A handler in place of SIG_IGN: ended children stay to be waited for, and the wake-up descriptor is written."""


def _drain(report: int) -> str:
    parts = []
    with contextlib.suppress(BlockingIOError):
        while part := os.read(report, 1 << 16):
            parts.append(part)
    os.close(report)
    return b"".join(parts).decode("utf-8", "replace")

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from . import child, lightweight, processes, wire
from .lightweight import Modules
from .rehearsal import rehearse

_SWEEP_AFTER = 0.2  # seconds after a task's end until its runaway descendants are looked for


KFP_RUNTIME = ""
"""In place of a module: kfp's executor, where the environment has it."""


def grow(
    place: int,
    controls: Sequence[socket.socket],
    modules: Sequence[str | None],
    folder: str = "",
    ahead: Callable[[], None] | None = None,
) -> NoReturn:
    """Become the zygote at `place`: import `modules[place]` (None: nothing), fork the zygote of the next place, serve.

    controls: the zygotes' ends of their sockets to the supervisor, one each.
    folder: for the sources of component modules; empty where none are kept.
    ahead: what children forked ahead of their task do.
    """
    processes.adopt_orphans()
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    for control in controls[:place]:
        control.close()
    control = controls[place]
    try:
        ahead = _load(modules[place]) or ahead
    except BaseException as error:
        # The supervisor sees us go, and tasks that need the module run without it and say what is wrong with it.
        sys.stderr.write(f"preload {modules[place]}: {type(error).__name__}: {error}\n")
        os._exit(1)
    for flush in (sys.stdout.flush, sys.stderr.flush, processes.flush_c_streams):
        flush()  # or each child would say once more what an import left in a buffer
    gc.collect()
    gc.freeze()
    successor = 0
    if place + 1 < len(controls):
        successor = os.fork()
        if not successor:
            grow(place + 1, controls, modules, folder, ahead)
        for later in controls[place + 1 :]:
            later.close()
    roots = sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - {__package__})
    control.sendall(wire.encode({"loaded": place, "roots": roots, "memory": processes.anonymous()}))
    _Zygote(control, successor, os.path.join(folder, str(place)) if folder else "", ahead).serve()


def _load(module: str | None) -> Callable[[], None] | None:
    """Import; gives what children can do ahead, where that is known now."""
    if module != KFP_RUNTIME:
        if module:
            importlib.import_module(module)
        return None
    os.environ["_KFP_RUNTIME"] = "true"  # kfp then imports only what runs components
    try:
        ahead = rehearse()
        lightweight.set_up_logging()
    except ImportError:
        return None
    finally:
        os.environ.pop("_KFP_RUNTIME", None)
    return ahead


@dataclass(slots=True)
class _Child:
    """A forked child: a task, or (no key yet) one that waits for the next task."""

    pid: int
    line: socket.socket
    """The task goes to it by here, and what it has to say of its error comes back."""
    key: str = ""


class _Zygote:
    """Keeps one child forked ahead, since a fork of much memory takes longer than a light task."""

    def __init__(self, control: socket.socket, successor: int, folder: str, ahead: Callable[[], None] | None) -> None:
        self._control, self._inbox, self._successor = control, wire.Inbox(control), successor
        self._modules, self._ahead = Modules(folder), ahead
        self._new: str | None = None
        """The source of a component module that the last task brought, and that nobody has looked at yet."""
        self._children: dict[int, _Child] = {}
        self._spare: _Child | None = None
        self._cores = len(os.sched_getaffinity(0))
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
            ready = dict(poll.poll(self._patience()))
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
            if not ready:
                self._get_ahead()

    def _patience(self) -> float | None:
        """Milliseconds until there is something to do unasked."""
        if self._new is not None or self._may_fork_ahead():
            return 0
        return None if self._sweep_at is None else max(0.0, self._sweep_at - time.monotonic()) * 1000 + 1

    def _may_fork_ahead(self) -> bool:
        """Not while tasks could use all cores."""
        return self._spare is None and len(self._children) < self._cores

    def _get_ahead(self) -> None:
        """What can be done while nobody asks for anything."""
        if self._new is not None:
            new, self._new = self._new, None
            if self._modules.prepare(new) and self._spare:  # the next one will know the module
                self._spare.line.close()
                self._spare = None
        elif self._may_fork_ahead():
            with contextlib.suppress(OSError):
                self._spare = self._fork(self._ahead)

    def _obey(self, message: wire.Message) -> None:
        if "run" in message:
            self._run(message["run"], message["task"])
            return
        for task in self._children.values():
            if task.key == message["kill"]:
                if message["signal"] == signal.SIGKILL:
                    processes.kill(processes.tree(task.pid, processes.table()))
                else:
                    processes.send(task.pid, message["signal"])

    def _run(self, key: str, task: Mapping[str, Any]) -> None:
        started, order = time.time(), wire.encode_for_child(task)
        try:
            chosen, self._spare = self._spare or self._fork(), None
            try:
                chosen.line.sendall(order)
            except OSError:  # the spare one has died
                chosen = self._fork()
                chosen.line.sendall(order)
        except OSError as error:
            self._tell({"ended": key, "error": f"cannot start a process: {error.strerror}"})
            return
        chosen.key = key
        self._tell({"started": key, "pid": chosen.pid, "at": started})
        if self._modules.wants(task["program"].get("source")):
            self._new = task["program"]["source"]

    def _fork(self, ahead: Callable[[], None] | None = None) -> _Child:
        """Raises: OSError."""
        ours, theirs = socket.socketpair()
        zygote = os.getpid()
        pid = os.fork()
        if not pid:
            lines = (child.line.fileno() for child in self._children.values())
            inherited = [self._control.fileno(), self._awake, self._wake, ours.fileno(), *lines]
            child.become(theirs, zygote, inherited, self._modules, ahead)
        theirs.close()
        forked = self._children[pid] = _Child(pid, ours)
        return forked

    def _reap(self) -> None:
        """Tell of tasks that have ended. Their groups are killed while the pid is still theirs, before it is freed."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            task = self._children.pop(ended.si_pid, None)
            if task:
                processes.send(ended.si_pid, signal.SIGKILL)
            _, status, usage = os.wait4(ended.si_pid, 0)
            if task is self._spare:
                self._spare = None
            if not task or not task.key:
                continue
            self._sweep_at = time.monotonic() + _SWEEP_AFTER
            self._tell(
                {
                    "ended": task.key,
                    "exit": os.waitstatus_to_exitcode(status),
                    "at": time.time(),
                    "cpu": usage.ru_utime + usage.ru_stime,
                    "memory": usage.ru_maxrss * 1024,
                    "error": _drain(task.line),
                }
            )

    def _sweep(self) -> None:
        """Kill what ended tasks left running outside of their process groups; it has become ours by adoption."""
        me, alive = os.getpid(), {task.key for task in self._children.values() if task.key}
        everyone = processes.table()
        for pid, process in everyone.items():
            if process.parent != me or process.zombie or pid in self._children or pid == self._successor:
                continue
            if process.session in self._children:
                continue
            token = processes.owner(pid)
            # Without a token (forked, never exec'd, a session of its own) it may be of any task that is alive.
            if token not in alive and (token or not alive):
                processes.kill(processes.tree(pid, everyone))
        self._sweep_at = time.monotonic() + 10 * _SWEEP_AFTER if alive else None

    def _tell(self, message: wire.Message) -> None:
        with contextlib.suppress(OSError):  # a supervisor that has gone shows as the end of our inbox
            self._control.sendall(wire.encode(message))

    def _end_everything(self) -> NoReturn:
        """The supervisor has gone: no task may outlive it."""
        everyone = processes.table()
        for pid in self._children:
            processes.kill(processes.tree(pid, everyone))
        me = os.getpid()
        processes.kill(
            pid for pid, process in processes.table().items() if process.parent == me and pid != self._successor
        )
        os._exit(0)


def _ignore(*_: object) -> None:
    """A handler in place of SIG_IGN: ended children stay to be waited for, and the wake-up descriptor is written."""


def _drain(line: socket.socket) -> str:
    parts = []
    with line, contextlib.suppress(OSError):  # another process of the task's may hold the other end
        while part := line.recv(1 << 16, socket.MSG_DONTWAIT):
            parts.append(part)
    return b"".join(parts).decode("utf-8", "replace")

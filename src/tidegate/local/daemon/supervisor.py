"""Keeps the zygotes, the clients' tasks and their limits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from . import processes, wire
from .choosing import Growth, Level, Verdict, choose
from .endings import Reason, ending
from .lines import Line

_GLANCE, _LOOK = 0.025, 0.5  # seconds between looks at the memory of a task's first process, and of all of them
_REMEMBERED = 1.0  # seconds
_LAST_LINE = 2000  # bytes


@dataclass(slots=True)
class _Task:
    key: str
    """The token in its environment, unique."""
    client: _Client
    request: Mapping[str, Any]
    order: bytes
    """The request as it came, for the zygote."""
    place: int = -1
    """Of its zygote; -1 while it waits for one."""
    pid: int = 0
    started: float = 0.0
    log_from: int = 0
    kills_before: int = 0
    peak: int = 0
    reason: Reason | None = None
    waits: set[asyncio.Task[None]] = field(default_factory=set)


class _Client:
    """One connection; when it closes, its tasks are killed."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.line = Line(self._hear, self._lost, greeting={"hello": os.getpid()})
        self.gone = asyncio.get_running_loop().create_future()

    def tell(self, message: wire.Message) -> None:
        self.line.tell(message)

    def _hear(self, message: dict[str, Any], body: bytes) -> None:
        if "run" in message:
            self._supervisor.run(self, message["run"], message["task"], body)
        elif "stop" in message:
            self._supervisor.stop(message["stop"])
        elif "retire" in message:
            self._supervisor.retiring = True

    def _lost(self) -> None:
        self._supervisor.lost(self)
        self.gone.set_result(None)


class Supervisor:
    """`modules`: what each zygote imports ("" for the first). `sockets`: our ends of the zygotes' sockets."""

    def __init__(self, modules: Sequence[str], sockets: Sequence[socket.socket]) -> None:
        self._levels = [Level(module) for module in modules]
        self._sockets = sockets
        self._zygotes: list[Line] = []
        self._tasks: dict[str, _Task] = {}
        self._clients: set[_Client] = set()
        self._changed = asyncio.Event()
        self._kills, self._kills_at = 0, -_REMEMBERED
        self.retiring = False
        """A newer worker has taken over, or a zygote has died: end as soon as nobody needs this one."""

    async def start(self) -> None:
        for place, ours in enumerate(self._sockets):
            made = partial(Line, partial(self._hear, place), partial(self._gone, place))
            self._zygotes.append((await asyncio.get_running_loop().create_unix_connection(made, sock=ours))[1])

    def client(self) -> Line:
        """The line of a client that has just come."""
        client = _Client(self)
        self._clients.add(client)
        return client.line

    async def serve(self, line: socket.socket) -> None:
        """Serve one client until it goes."""
        await asyncio.get_running_loop().create_unix_connection(self.client, sock=line)
        await asyncio.wait([client.gone for client in self._clients])

    async def quiet(self, idle: float, path: Path) -> None:
        """Wait until nobody has needed this worker for `idle` seconds, or not at all while it retires.

        `path`, of the socket, is removed before the end, so that whoever comes then starts another worker.
        """
        while True:
            busy = bool(self._clients or self._tasks)
            self._changed.clear()
            if self.retiring:
                path.unlink(missing_ok=True)
                if not busy:
                    return
            try:
                await asyncio.wait_for(self._changed.wait(), None if busy else idle)
            except TimeoutError:
                path.unlink(missing_ok=True)
                return

    # ------------------------------------------------------------ clients
    def run(self, client: _Client, key: str, request: Mapping[str, Any], body: bytes) -> None:
        self._tasks[key] = task = _Task(key, client, request, wire.pack(body))
        self._place(task)

    def stop(self, key: str) -> None:
        if task := self._tasks.get(key):
            self._end(task, Reason.STOPPED)

    def lost(self, client: _Client) -> None:
        self._clients.discard(client)
        for task in [task for task in self._tasks.values() if task.client is client]:
            task.reason = task.reason or Reason.STOPPED
            if task.place < 0:
                self._forget(task)
            else:
                self._signal(task, signal.SIGKILL)
        self._changed.set()

    # ------------------------------------------------------------ tasks
    def _place(self, task: _Task) -> None:
        request = task.request
        imports, overlay = frozenset(request["imports"]), frozenset(request["overlay"])
        chosen = choose(self._levels, imports, overlay, request["plain"], request["memory"])
        if chosen is Verdict.WAIT:
            return
        if isinstance(chosen, Verdict):
            self._forget(task)
            task.client.tell({"unfit": task.key})
            return
        task.place = chosen
        task.kills_before = self._kernel_kills()
        with contextlib.suppress(OSError):
            task.log_from = os.stat(request["log"]).st_size
        self._zygotes[chosen].hand_on(task.order)

    def _kernel_kills(self) -> int:
        """As of a moment ago: reading it takes as long as all else that is done here for a light task."""
        now = time.monotonic()
        if now - self._kills_at > _REMEMBERED:
            self._kills, self._kills_at = processes.out_of_memory_kills(), now
        return self._kills

    def _started(self, task: _Task, message: wire.Message) -> None:
        task.pid, task.started = message["pid"], message["at"]
        module = self._levels[task.place].module
        task.client.tell({"started": task.key, "pid": task.pid, "at": task.started, "with": module})
        if task.reason:  # it was told to stop before it had begun
            self._signal(task, signal.SIGKILL)
        if timeout := task.request["timeout"]:
            self._spawn(self._time_out(task, timeout), task)
        if task.request["memory"]:
            self._spawn(self._watch(task, task.request["memory"]), task)

    def _ended(self, task: _Task, message: wire.Message) -> None:
        exit_code, peak = message.get("exit", 1), max(task.peak, message.get("memory", 0))
        request = task.request
        how, error = ending(
            exit_code,
            message["error"],
            reason=task.reason,
            kernel_short_of_memory=exit_code != 0 and processes.out_of_memory_kills() > task.kills_before,
            peak=peak,
            memory=request["memory"],
            timeout=request["timeout"],
            last_line=_last_line(request["log"], task.log_from) if exit_code else "",
        )
        self._finish(task, how, error, message)

    def _finish(self, task: _Task, how: str, error: str, message: wire.Message) -> None:
        self._forget(task)
        task.client.tell(
            {
                "ended": task.key,
                "ending": how,
                "error": error,
                "exit": message.get("exit"),
                "cpu": message.get("cpu", 0.0),
                "memory": message.get("memory", 0),
                "since": task.started,
                "at": message.get("at", time.time()),
                "with": self._levels[task.place].module,
            }
        )

    def _forget(self, task: _Task) -> None:
        self._tasks.pop(task.key, None)
        for wait in task.waits:
            wait.cancel()
        self._changed.set()

    # ------------------------------------------------------------ limits
    def _end(self, task: _Task, reason: Reason) -> None:
        """SIGTERM, and SIGKILL when the grace period is over; out of memory, at once SIGKILL."""
        if task.reason:
            return
        task.reason = reason
        if task.place < 0:
            self._finish(task, reason, "stopped before it began", {})
        elif reason is Reason.OUT_OF_MEMORY:
            self._signal(task, signal.SIGKILL)
        else:
            self._signal(task, signal.SIGTERM)
            self._spawn(self._kill_later(task), task)

    def _signal(self, task: _Task, number: int) -> None:
        self._zygotes[task.place].tell({"kill": task.key, "signal": number})

    async def _kill_later(self, task: _Task) -> None:
        await asyncio.sleep(task.request["grace"])
        self._signal(task, signal.SIGKILL)

    async def _time_out(self, task: _Task, timeout: float) -> None:
        await asyncio.sleep(timeout)
        self._end(task, Reason.TIMED_OUT)

    async def _watch(self, task: _Task, limit: int) -> None:
        """Kill above `limit`. Its first process is looked at often, which is cheap, its whole tree now and then."""
        looked = time.monotonic()
        while True:
            used = processes.resident(task.pid)
            if used <= limit and time.monotonic() - looked > _LOOK:
                looked = time.monotonic()
                used = max(used, _memory_of_tree(task.pid))
            task.peak = max(task.peak, used)
            if used > limit:
                self._end(task, Reason.OUT_OF_MEMORY)
                return
            await asyncio.sleep(_GLANCE)

    # ------------------------------------------------------------ zygotes
    def _hear(self, place: int, message: dict[str, Any], _body: bytes) -> None:
        level = self._levels[place]
        if "loaded" in message:
            level.growth, level.roots = Growth.READY, frozenset(message["roots"])
            level.memory = message["memory"]
            self._place_waiting()
        elif "started" in message and (task := self._tasks.get(message["started"])):
            self._started(task, message)
        elif "ended" in message and (task := self._tasks.get(message["ended"])):
            self._ended(task, message)

    def _gone(self, place: int) -> None:
        """A zygote has died; its tasks died with it, and what they had started is adopted by us."""
        level = self._levels[place]
        was_ready, level.growth = level.growth is Growth.READY, Growth.GONE
        for task in [task for task in self._tasks.values() if task.place == place]:
            if task.pid:
                processes.kill(processes.tree(task.pid, processes.table()))
            self._finish(task, "killed", "the worker process that ran the task was killed", {"exit": -signal.SIGKILL})
        if was_ready or place == 0:
            self.retiring = True
            self._changed.set()
        self._place_waiting()

    def _place_waiting(self) -> None:
        for task in [task for task in self._tasks.values() if task.place < 0]:
            self._place(task)

    def _spawn(self, work: Coroutine[Any, Any, None], task: _Task) -> None:
        started = asyncio.ensure_future(work)
        task.waits.add(started)
        started.add_done_callback(task.waits.discard)


def _memory_of_tree(root: int) -> int:
    everyone = processes.table()
    members = processes.tree(root, everyone) & everyone.keys()
    used = sum(everyone[pid].memory for pid in members)
    return used if len(members) < 2 else min(used, processes.proportional(members))


def _last_line(log: str, start: int) -> str:
    """The last line with text that the task wrote to its log."""
    try:
        with open(log, "rb") as file:
            file.seek(max(start, os.fstat(file.fileno()).st_size - _LAST_LINE))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")

"""A run as it goes, as plain timestamped lines: for pipes, files and CI logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from tidegate.cli import words
from tidegate.cli.terminal import Terminal, printable
from tidegate.local.events import TaskState
from tidegate.local.watch import ENDS, RunView, TaskView

_START_SECONDS = 0.3  # a task that ends sooner (or is cached) has only the line of its end
_SAY_SECONDS = 5.0  # between two messages of one task


class Lines:
    """An observer that prints a line when a task has started, says something (now and then), and ends."""

    def __init__(self, to: Terminal, patience: float = _START_SECONDS) -> None:
        self._to = to
        self._patience = patience
        self._states: dict[str, TaskState] = {}
        self._starting: dict[str, str] = {}
        """Path -> the line of its start, not printed yet."""
        self._said: dict[str, tuple[float, str]] = {}
        self._notice = ""
        self._begun = False
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def __call__(self, view: RunView, changed: Sequence[TaskView]) -> None:
        with self._lock:
            if not self._begun:
                self._begun = True
                self._line(f"run {view.id} started")
            if view.notice != self._notice:
                self._notice = view.notice
                self._line(view.notice)
            for task in changed:
                if task.kind == "task":
                    self._task(task)
            if self._starting and (self._timer is None or not self._timer.is_alive()):
                self._timer = threading.Timer(self._patience, self._started)
                self._timer.daemon = True
                self._timer.start()

    def _started(self) -> None:
        with self._lock:
            for line in self._starting.values():
                self._line(line)
            self._starting.clear()

    def _task(self, task: TaskView) -> None:
        if self._states.get(task.path) is not task.state:
            self._states[task.path] = task.state
            self._said[task.path] = (time.monotonic(), task.message)
            if task.state is TaskState.RUNNING:
                self._starting[task.path] = f"{task.path}: {_start(task)}"
            elif end := _end(task):
                self._starting.pop(task.path, None)
                self._line(f"{task.path}: {end}")
            return
        at, message = self._said.get(task.path, (0.0, ""))
        if (
            task.state is TaskState.RUNNING
            and task.message not in ("", message)
            and time.monotonic() - at > _SAY_SECONDS
        ):
            self._said[task.path] = (time.monotonic(), task.message)
            self._line(f"{task.path}: {task.message}")

    def _line(self, text: str) -> None:
        try:
            self._to.print(f"{words.clock(time.time())} {printable(text)}")
            self._to.file.flush()
        except BrokenPipeError:
            pass  # nobody reads any more; the run goes on


def _start(task: TaskView) -> str:
    return "started" if task.attempt <= 1 else f"started, attempt {task.attempt}"


def _end(task: TaskView) -> str:
    """Of an attempt; empty where it has not ended."""
    if task.state is TaskState.WAITING:
        return f"attempt {task.attempt} failed, will be tried again: {task.error}"
    if task.state not in ENDS:
        return ""
    took = words.seconds(task.ended - task.started) if task.started is not None and task.ended is not None else ""
    rows = f", {words.count(task.rows)} rows" if task.rows is not None else ""
    rows += f", {task.verdict}" if task.verdict else ""
    match task.state:
        case TaskState.CACHED:
            return f"cached, from run {task.cached_from}{rows}"
        case TaskState.FAILED:
            return f"failed{f' after {took}' if took else ''}: {task.error}"
        case TaskState.SUCCEEDED:
            return f"succeeded{f' in {took}' if took else ''}{rows}"
    return str(task.state.value)

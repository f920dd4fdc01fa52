"""A run as it goes, as plain timestamped lines: for pipes, files and CI logs."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.cli import words
from tidegate.cli.terminal import Terminal, printable
from tidegate.local.events import TaskState
from tidegate.local.watch import ENDS, RunView, TaskView

_SAY_SECONDS = 5.0  # between two messages of one task


class Lines:
    """An observer that prints a line when a task starts, says something (now and then), and ends."""

    def __init__(self, to: Terminal) -> None:
        self._to = to
        self._seen: dict[str, TaskState] = {}
        self._said: dict[str, tuple[float, str]] = {}
        self._begun = False

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, view: RunView, changed: Sequence[TaskView]) -> None:
        from time import time

        now = time()
        if not self._begun:
            self._begun = True
            self._line(now, f"run {view.id} started")
        for task in changed:
            if task.kind == "task":
                self._task(task, now)

    def _task(self, task: TaskView, now: float) -> None:
        if self._seen.get(task.path) is not task.state:
            self._seen[task.path] = task.state
            if what := _news(task):
                self._line(now, f"{task.path}: {what}")
            self._said[task.path] = (now, task.message)
            return
        at, message = self._said.get(task.path, (0.0, ""))
        if task.state is TaskState.RUNNING and task.message not in ("", message) and now - at >= _SAY_SECONDS:
            self._said[task.path] = (now, task.message)
            self._line(now, f"{task.path}: {task.message}")

    def _line(self, now: float, text: str) -> None:
        try:
            self._to.print(f"{words.clock(now)} {printable(text)}")
            self._to.file.flush()
        except BrokenPipeError:
            pass  # nobody reads any more; the run goes on


def _news(task: TaskView) -> str:
    if task.state is TaskState.RUNNING:
        return "started" if task.attempt <= 1 else f"started, attempt {task.attempt}"
    if task.state is TaskState.WAITING:
        return f"attempt {task.attempt} failed, will be tried again: {task.error}"
    if task.state not in ENDS:
        return ""
    took = words.seconds(task.ended - task.started) if task.started is not None and task.ended is not None else ""
    rows = f", {words.count(task.rows)} rows" if task.rows is not None else ""
    if task.state is TaskState.CACHED:
        return f"cached, from run {task.cached_from}{rows}"
    if task.state is TaskState.FAILED:
        return f"failed{f' after {took}' if took else ''}: {task.error}"
    return f"{task.state.value}{f' in {took}' if took and task.state is TaskState.SUCCEEDED else ''}{rows}"

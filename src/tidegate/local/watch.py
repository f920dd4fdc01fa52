"""A run as it goes, for those who watch: kept by the engine, read by the live table and by notebooks."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.local.events import RunState, TaskState

ENDS = frozenset(
    {TaskState.SUCCEEDED, TaskState.CACHED, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED},
)


@dataclass(slots=True)
class TaskView:
    """One task (or nested DAG, loop, iteration, condition: see `kind`) as it stands."""

    path: str
    component: str = ""
    kind: str = "task"
    state: TaskState = TaskState.PENDING
    attempt: int = 0
    started: float | None = None
    """Seconds since the epoch, of the last attempt."""
    ended: float | None = None
    cached_from: str = ""
    """The run that made the outputs, where the cache answered."""
    why_missed: str = ""
    message: str = ""
    """The last thing the task said of itself (components/progress.py)."""
    done: float | None = None
    total: float | None = None
    rows: int | None = None
    """Rows of its first output that says them."""
    verdict: str = ""
    """What a component that judges says of what it found."""
    error: str = ""
    log: Path | None = None
    _progress: tuple[Path, int] | None = None

    def says(self) -> bool:
        """Read the progress file again; whether it said something new."""
        if self.log is None:
            return False
        path = self.log.with_name("progress.json")
        try:
            stamp = os.stat(path).st_mtime_ns  # noqa: PTH116 - asked several times a second for every running task
            if self._progress == (path, stamp):
                return False
            said = json.loads(path.read_text(encoding="utf-8"))
            self.message = str(said.get("message", ""))
            self.done, self.total = _number(said.get("done")), _number(said.get("total"))
        except (OSError, ValueError, AttributeError):
            return False
        self._progress = (path, stamp)
        return True


@dataclass(slots=True)
class RunView:
    """A run as it stands. The engine changes it in place, in its own thread: observers only read."""

    id: str
    pipeline: str
    state: RunState = RunState.RUNNING
    started: float = 0.0
    ended: float | None = None
    tasks: dict[str, TaskView] = field(default_factory=dict)
    """By path, in order of start."""
    total: int = 0
    """Tasks known so far, started or not: it grows while loops unfold."""
    counts: Counter[TaskState] = field(default_factory=Counter)
    """Tasks (kind `task` only) by state, kept up to date so that nobody counts ten thousand."""
    running: dict[str, TaskView] = field(default_factory=dict)
    """Those of `tasks` that run now."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    notice: str = ""
    """What to tell whoever watches beside that: `cancelling: Ctrl-C ...`."""

    def task(self, path: str, **fields: Any) -> TaskView:
        """The task's view with these fields set, made where it is new; for the engine."""
        view = self.tasks.get(path)
        if view is None:
            view = self.tasks[path] = TaskView(path)
        else:
            self.counts[view.state] -= view.kind == "task"
        for name, value in fields.items():
            setattr(view, name, value)
        self.counts[view.state] += view.kind == "task"
        if view.state is TaskState.RUNNING:
            self.running[path] = view
        else:
            self.running.pop(path, None)
        return view


Observer = Callable[[RunView, Sequence[TaskView]], None]
"""Called after each change with the run and the tasks that changed since the last call (none: the run itself did).

It is called in the engine's thread, up to hundreds of times a second: note what changed, draw at your own pace.
While tasks run it is also called a few times a second with those that said something new. After the last call
`view.state` is an end state.
"""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None

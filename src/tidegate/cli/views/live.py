"""A run as it goes, as a table that redraws itself: for a person at a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidegate.cli import words
from tidegate.cli.tables import Cell, Column, table
from tidegate.cli.terminal import Terminal, printable
from tidegate.cli.views.runs import state_cell
from tidegate.local.events import TaskState
from tidegate.local.watch import RunView, TaskView

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.text import Text

_PER_SECOND = 8
_COLUMNS = (
    Column("TASK", flexible=True, path=True),
    Column("STATE"),
    Column("TIME", right=True),
    Column("ROWS", right=True, optional=True),
    Column("", flexible=True, optional=True),
)
_FRAME = 4  # lines beside the tasks: header, summary, hint, cursor


class Live:
    """An observer that only notes the view; a thread of rich's draws it at its own pace."""

    def __init__(self, to: Terminal) -> None:
        self._to = to
        self._view: RunView | None = None
        self._drawing: RichLive | None = None

    def __enter__(self) -> Live:
        from rich.console import Console
        from rich.live import Live as Drawing

        console = Console(file=self._to.file, highlight=False, no_color=not self._to.colour, force_terminal=True)
        self._drawing = Drawing(
            console=console,
            get_renderable=self._text,
            transient=True,
            refresh_per_second=_PER_SECOND,
            redirect_stderr=True,
        )
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawing is not None:
            self._drawing.stop()

    def __call__(self, view: RunView, _changed: Sequence[TaskView]) -> None:
        self._view = view

    def _text(self) -> Text:
        from rich.text import Text

        view = self._view
        height = self._drawing.console.size.height if self._drawing else 24
        lines = drawn(view, time.time(), height - _FRAME, self._to) if view else [self._to.paint("starting ...", "dim")]
        if view and view.notice:
            lines.append(self._to.paint(printable(view.notice), "yellow"))
        text = Text.from_ansi("\n".join(lines))
        text.no_wrap, text.overflow = True, "crop"
        return text


def drawn(view: RunView, now: float, room: int, to: Terminal) -> list[str]:
    """The lines of the picture, `room` tasks at most: what runs and what failed first, then what ended last."""
    tasks = [task for task in list(view.tasks.values()) if task.kind == "task"]
    shown = chosen(tasks, max(room, 3))
    rows = [(t.path, state_cell(t.state), _time(t, now), _rows(t), _said(t)) for t in shown]
    return [*table(_COLUMNS, rows, to), "", summary(view, now, to)]


def chosen(tasks: Sequence[TaskView], room: int) -> list[TaskView]:
    """At most `room` tasks, in their order."""
    if len(tasks) <= room:
        return list(tasks)

    def weight(position: int) -> tuple[int, int]:
        state = tasks[position].state
        first = {TaskState.RUNNING: 0, TaskState.WAITING: 0, TaskState.FAILED: 1}.get(state, 2)
        return (first, -position)

    kept = sorted(sorted(range(len(tasks)), key=weight)[:room])
    return [tasks[position] for position in kept]


def summary(view: RunView, now: float, to: Terminal) -> str:
    """`flights-...  3 running, 7 succeeded (2 cached) of 12  1m 05s`."""
    counts = view.counts
    done = counts[TaskState.SUCCEEDED] + counts[TaskState.CACHED]
    parts = [f"{counts[TaskState.RUNNING]} running"] if counts[TaskState.RUNNING] else []
    cached = f" ({counts[TaskState.CACHED]} cached)" if counts[TaskState.CACHED] else ""
    parts.append(f"{done} of {max(view.total, sum(counts.values()))} done{cached}")
    parts += [f"{counts[s]} {s.value}" for s in (TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED) if counts[s]]
    took = words.seconds((view.ended or now) - view.started) if view.started else ""
    return f"{to.paint(view.id, 'bold')}  {', '.join(parts)}  {took}"


def _time(task: TaskView, now: float) -> str:
    if task.started is None:
        return ""
    return words.seconds((task.ended or now) - task.started)


def _rows(task: TaskView) -> str:
    return words.count(task.rows) if task.rows is not None else ""


def _said(task: TaskView) -> Cell:
    if task.state is TaskState.FAILED:
        return Cell(task.error, "red")
    if task.state is TaskState.WAITING:
        return Cell(f"to be tried again: {task.error}", "yellow")
    if task.state is TaskState.CACHED:
        return Cell(task.verdict or f"from {task.cached_from}", "dim")
    if task.state is not TaskState.RUNNING:
        return Cell(task.verdict)
    if task.done is not None and task.total:
        return Cell(f"{bar(task.done / task.total)} {task.message}")
    return Cell(task.message)


def bar(part: float, width: int = 10) -> str:
    """`━━━━──────`."""
    full = round(min(max(part, 0.0), 1.0) * width)
    return "━" * full + "─" * (width - full)

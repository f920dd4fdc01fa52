"""One line that says how a run goes, for scripts and notebooks (the command line draws a table of its own)."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tidegate.local.events import RunState, TaskState
from tidegate.local.watch import ENDS, Observer, RunView, TaskView

_EVERY_SECONDS = 0.1
_WIDTH = 110


def observer(progress: bool | None) -> Observer | None:
    """What shows progress here: a notebook's cell, a terminal, or nothing. None: where a person watches."""
    if progress is False:
        return None
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and hasattr(shell, "kernel"):
        return _Cell()
    return _Terminal() if progress or sys.stderr.isatty() else None


def line(view: RunView) -> str:
    """`flights-2026...: 5 of 12 done, 3 cached; train: epoch 3/10`"""
    done = sum(view.counts[state] for state in ENDS)
    said = [f"{view.id}: {done} of {view.total} done"]
    for state in (TaskState.CACHED, TaskState.FAILED):
        if view.counts[state]:
            said.append(f"{view.counts[state]} {state.value}")
    text = ", ".join(said)
    if view.state is not RunState.RUNNING:
        return f"{text}; {view.state.value} in {(view.ended or view.started) - view.started:.1f} s"
    running = [f"{task.path}: {task.message}" if task.message else task.path for task in view.running.values()]
    return f"{text}; {', '.join(running)}" if running else text


class _Line:
    """Draws at its own pace, and the last state in any case."""

    def __init__(self) -> None:
        self._drawn = 0.0

    def __call__(self, view: RunView, _changed: Sequence[TaskView]) -> None:
        now = time.monotonic()
        ended = view.state is not RunState.RUNNING
        if ended or now - self._drawn >= _EVERY_SECONDS:
            self._drawn = now
            self.draw(line(view), ended)

    def draw(self, text: str, last: bool) -> None:
        raise NotImplementedError


class _Terminal(_Line):
    def draw(self, text: str, last: bool) -> None:
        again = "\r\x1b[K" if sys.stderr.isatty() else ""
        if again or last:
            sys.stderr.write(f"{again}{text[:_WIDTH]}" + ("\n" if last else ""))
            sys.stderr.flush()


class _Cell(_Line):
    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None

    def draw(self, text: str, last: bool) -> None:  # noqa: ARG002 - a cell needs no end of line
        shown = {"text/plain": text}
        if self._handle is None:
            self._handle = import_module("IPython.display").display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

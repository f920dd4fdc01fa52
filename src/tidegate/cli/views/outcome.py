"""What came of a run that has just ended, for the person who started it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from tidegate.cli import plain, words
from tidegate.cli.tables import facts
from tidegate.cli.terminal import Terminal, printable
from tidegate.cli.views import runs
from tidegate.store.records import RunRecord, TaskRecord

_MOST_TASKS = 30
_LOG_LINES = 15
_MOST_LOGS = 3


def told(record: RunRecord, now: float, to: Terminal, quiet: bool = False) -> list[str]:
    """The table of tasks (at a terminal: elsewhere its lines were printed as they came), failures with the ends of
    their logs, outputs, and what to do next.
    """
    if quiet:
        return [*failures(record, to), f"{record.id} {record.state}"]
    leaves = runs.told_of(record.tasks)
    lines = runs.tasks(_chosen(leaves), now, to) if to.interactive and leaves else []
    if to.interactive and len(leaves) > _MOST_TASKS:
        lines.append(to.paint(f"... {len(leaves) - _MOST_TASKS} more tasks: tidegate show {record.id}", "dim"))
    lines += [*failures(record, to), ""] if lines else failures(record, to)
    lines.append(_summary(record, leaves, now, to))
    pairs = [("outputs", runs.values(plain.outputs(record)))]
    if record.state == "succeeded":
        pairs.append(("report", f"tidegate report {record.id}"))
    else:
        pairs.append(("look", f"tidegate show {record.id}"))
        pairs.append(("continue", f"tidegate resume {record.id}"))
    return [*lines, *facts(pairs, to)]


def failures(record: RunRecord, to: Terminal) -> list[str]:
    """Each task that failed, with its error and the end of its log."""
    failed = [task for task in record.tasks if task.kind == "task" and task.state == "failed"]
    lines: list[str] = []
    for task in failed[:_MOST_LOGS]:
        lines += ["", f"{to.paint('✗ ' + printable(task.path), 'red bold')}  {runs.first_line(printable(task.error))}"]
        lines += [f"    {line}" for line in printable(task.error).splitlines()[1:]]
        if end := _end_of(task.log):
            lines += [to.paint(f"    log, the last {len(end)} lines (tidegate logs {record.id} {task.path}):", "dim")]
            lines += [f"    {to.paint('│', 'dim')} {line}" for line in end]
    if len(failed) > _MOST_LOGS:
        lines += ["", f"... and {len(failed) - _MOST_LOGS} more tasks failed: tidegate show {record.id}"]
    if not failed and record.error:
        lines += ["", f"{to.paint('error:', 'red bold')} {printable(record.error)}"]
    return lines


def _summary(record: RunRecord, leaves: Sequence[TaskRecord], now: float, to: Terminal) -> str:
    counts = Counter(task.state for task in leaves)
    said = ", ".join(f"{number} {state}" for state, number in counts.items())
    peak = max((task.peak_memory for task in leaves), default=0)
    parts = [words.seconds(runs.elapsed(record, now)), f"{len(leaves)} tasks ({said})" if leaves else "no tasks"]
    if peak:
        parts.append(f"peak memory {words.size(peak)}")
    return f"{to.state(record.state)}  {to.paint(record.id, 'bold')}  {', '.join(part for part in parts if part)}"


def _chosen(leaves: Sequence[TaskRecord]) -> Sequence[TaskRecord]:
    """All of them, or those that failed and the first of the others."""
    if len(leaves) <= _MOST_TASKS:
        return leaves
    order = sorted(range(len(leaves)), key=lambda at: (leaves[at].state != "failed", at))
    return [leaves[at] for at in sorted(order[:_MOST_TASKS])]


def _end_of(path: str) -> list[str]:
    if not path:
        return []
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return [printable(line.rstrip("\n")) for line in deque(file, _LOG_LINES)]
    except OSError:
        return []

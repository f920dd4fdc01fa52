"""Two runs beside each other; only what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tidegate.cli import words
from tidegate.cli.differences import ABSENT, Change, DataChange, Differences, FileChange, MetricChange, TaskChange
from tidegate.cli.summaries import Metric
from tidegate.cli.tables import Cell, Column, table
from tidegate.cli.terminal import Terminal, printable
from tidegate.cli.views.runs import state_cell
from tidegate.store.records import TaskRecord

_MOST_FEATURES = 15
_MOST_METRICS = 30


def told(found: Differences, to: Terminal, wide: bool) -> list[str]:
    lines = [
        f"{to.paint(sign, style)} {to.paint(run.id, 'bold')}  {to.state(run.state)}  {run.code}".rstrip()
        for sign, style, run in (("-", "red", found.left), ("+", "green", found.right))
    ]
    sections: list[tuple[str, Sequence[Any], Callable[[Sequence[Any], Terminal, bool], list[str]]]] = [
        ("parameters", found.parameters, _values),
        ("tasks", found.tasks, _tasks),
        ("data", found.data, _data),
        ("metrics", found.metrics, _metrics),
        ("results", found.results, _values),
        ("code", found.code, _code),
    ]
    for title, changes, show in sections:
        if changes:
            lines += ["", to.paint(title, "bold"), *show(changes, to, wide)]
    same = [title for title, changes, _ in sections if not changes]
    if same:
        lines += ["", to.paint(f"no difference in {', '.join(same)}", "dim")]
    return lines


def _values(changes: Sequence[Change], to: Terminal, wide: bool) -> list[str]:
    def said(value: Any) -> str:
        return "" if value is ABSENT else words.shown(value, 200 if wide else 60)

    columns = (Column("NAME"), Column("-", flexible=True), Column("+", flexible=True))
    return table(
        columns, [(c.name, Cell(said(c.left), "red"), Cell(said(c.right), "green")) for c in changes], to, wide
    )


def _tasks(changes: Sequence[TaskChange], to: Terminal, wide: bool) -> list[str]:
    def state(task: TaskRecord | None) -> Cell:
        return state_cell(task.state) if task else Cell("absent", "dim")

    def took(task: TaskRecord | None) -> str:
        if task is None or task.started is None or task.ended is None:
            return ""
        return words.seconds(task.ended - task.started)

    columns = (
        Column("TASK", flexible=True, path=True),
        Column("-"),
        Column("+"),
        Column("- TIME", right=True),
        Column("+ TIME", right=True),
        Column("OUTPUTS THAT DIFFER", flexible=True, optional=True),
    )
    rows = [
        (c.path, state(c.left), state(c.right), took(c.left), took(c.right), ", ".join(c.contents)) for c in changes
    ]
    return table(columns, rows, to, wide)


def _data(changes: Sequence[DataChange], to: Terminal, wide: bool) -> list[str]:
    def said(value: Any) -> str:
        if isinstance(value, bool):
            return "there" if value else "absent"
        return words.count(value) if isinstance(value, int) else words.number(value)

    columns = (
        Column("SPLIT"),
        Column("FEATURE", flexible=True),
        Column("WHAT", flexible=True),
        Column("-", right=True),
        Column("+", right=True),
        Column("TASK", flexible=True, wide=True),
    )
    kept = changes if wide else changes[:_MOST_FEATURES]
    rows = [(c.split, c.feature, c.what, said(c.left), said(c.right), c.task) for c in kept]
    return [*table(columns, rows, to, wide), *_more(len(changes) - len(kept), "features", to)]


def _metrics(changes: Sequence[MetricChange], to: Terminal, wide: bool) -> list[str]:
    columns = (Column("METRIC", flexible=True), Column("-"), Column("+"), Column("CHANGE", right=True))
    kept = changes if wide else changes[:_MOST_METRICS]
    rows = [(c.name, _metric(c.left), _metric(c.right), _step(c)) for c in kept]
    return [*table(columns, rows, to, wide), *_more(len(changes) - len(kept), "metrics", to)]


def _metric(metric: Metric | None) -> str:
    if metric is None or metric.value is None:
        return ""
    text = words.number(metric.value)
    if metric.low is not None and metric.high is not None:
        text += f" [{words.number(metric.low)}, {words.number(metric.high)}]"
    return text


def _step(change: MetricChange) -> Cell:
    """The change; dim where the intervals overlap, so that it may be noise."""
    left, right = change.left, change.right
    if left is None or right is None or left.value is None or right.value is None:
        return Cell("")
    text = f"{right.value - left.value:+.4g}"
    if left.low is None or left.high is None or right.low is None or right.high is None:
        return Cell(text)
    apart = right.low > left.high or right.high < left.low
    return Cell(text if apart else f"{text} (intervals overlap)", "bold" if apart else "dim")


def _code(changes: Sequence[FileChange], to: Terminal, _wide: bool) -> list[str]:
    styles = {"-": "red", "+": "green", "@": "cyan"}
    lines: list[str] = []
    for change in changes:
        lines.append(to.paint(printable(change.name), "bold"))
        lines += [f"  {to.paint(printable(line), styles.get(line[:1], ''))}" for line in change.diff]
    return lines


def _more(left: int, what: str, to: Terminal) -> list[str]:
    return [to.paint(f"... and {left} more {what} (`-o wide`)", "dim")] if left > 0 else []

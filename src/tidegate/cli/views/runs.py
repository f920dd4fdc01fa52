"""Runs and their tasks, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tidegate.cli import plain, words
from tidegate.cli.tables import Cell, Column, facts, table
from tidegate.cli.terminal import STATES, Terminal, printable
from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord

_RUNS = (
    Column("RUN"),
    Column("STATE"),
    Column("PIPELINE", flexible=True),
    Column("STARTED", right=True),
    Column("TIME", right=True),
    Column("USER", wide=True),
    Column("ENGINE", wide=True),
    Column("CODE", wide=True, optional=True),
    Column("ERROR", flexible=True, optional=True),
)
_TASKS = (
    Column("TASK", flexible=True, path=True),
    Column("STATE"),
    Column("TIME", right=True),
    Column("ROWS", right=True, optional=True),
    Column("MEMORY", right=True, optional=True),
    Column("CPU", right=True, optional=True, wide=True),
    Column("ATTEMPT", right=True, optional=True),
    Column("NOTE", flexible=True, optional=True),
)


def listing(records: Sequence[RunRecord], now: float, to: Terminal, wide: bool) -> list[str]:
    rows = [
        (
            record.id,
            state_cell(record.state),
            record.pipeline,
            words.ago(record.created, now),
            words.seconds(elapsed(record, now)),
            record.user,
            record.engine,
            record.code,
            Cell(first_line(record.error), "red"),
        )
        for record in records
    ]
    return table(_RUNS, rows, to, wide)


def whole(record: RunRecord, now: float, to: Terminal, wide: bool) -> list[str]:
    """Everything about one run that fits a screen."""
    took = words.seconds(elapsed(record, now))
    lines = [f"{to.paint(record.id, 'bold')}  {to.state(record.state)}  {took}".rstrip(), ""]
    lines += facts(
        [
            ("pipeline", record.pipeline),
            ("started", f"{words.when(record.created)} by {record.user} ({record.engine})"),
            ("code", record.code),
            ("command", record.command),
            ("retry of", record.parent),
            ("parameters", values(record.parameters)),
            ("outputs", values(plain.outputs(record))),
        ],
        to,
    )
    if shown := record.tasks if wide else told_of(record.tasks):
        lines += ["", *tasks([_stopped(task, record) for task in shown], now, to, wide)]
    lines += failures(record, to)
    if hint := next_step(record):
        lines += ["", to.paint(hint, "dim")]
    return lines


def told_of(records: Sequence[TaskRecord]) -> list[TaskRecord]:
    """Without the DAGs around tasks, but for those that were skipped with all that is in them."""
    return [record for record in records if record.kind == "task" or record.state == "skipped"]


def _stopped(task: TaskRecord, run: RunRecord) -> TaskRecord:
    """A task that says `running`, of a run whose engine died, does not run any more."""
    died = run.state == "interrupted" and task.state in ("pending", "running", "waiting")
    return replace(task, state="interrupted") if died else task


def tasks(records: Sequence[TaskRecord], now: float, to: Terminal, wide: bool = False) -> list[str]:
    rows = [
        (
            record.path,
            state_cell(record.state),
            words.seconds(task_time(record, now)),
            rows_of(record),
            words.size(record.peak_memory) if record.peak_memory else "",
            words.seconds(record.cpu_seconds) if record.cpu_seconds else "",
            str(record.attempt) if record.attempt > 1 else "",
            Cell(note(record), "dim"),
        )
        for record in records
    ]
    return table(_TASKS, rows, to, wide)


def failures(record: RunRecord, to: Terminal) -> list[str]:
    """What went wrong, task by task; the run's own error where no task has one."""
    lines: list[str] = []
    for task in record.tasks:
        if task.state == "failed" and task.error and task.kind == "task":
            lines += ["", f"{to.paint('failed', 'red bold')}  {printable(task.path)}"]
            lines += [f"  {line}" for line in printable(task.error).splitlines()]
            lines.append(to.paint(f"  tidegate logs {record.id} {task.path}", "dim"))
    if not lines and record.error:
        lines = ["", f"{to.paint('error:', 'red bold')} {printable(record.error)}"]
    return lines


def next_step(record: RunRecord) -> str:
    """What the user may want to do now, where that is not plain."""
    if record.state in ("interrupted", "cancelled"):
        return f"tidegate resume {record.id}   continues it"
    if record.state == "failed":
        return f"tidegate resume {record.id}   runs what did not succeed, when it is mended"
    return ""


def values(found: Any) -> str:
    """`name = value` lines."""
    return "\n".join(f"{name} = {words.shown(_brief(value))}" for name, value in dict(found).items())


def _brief(value: Any) -> Any:
    """An artifact among outputs, by its place."""
    return value["uri"] if isinstance(value, dict) and "uri" in value else value


def state_cell(state: str) -> Cell:
    mark, style = STATES.get(state, ("?", ""))
    return Cell(f"{mark} {state}", style)


def note(record: TaskRecord) -> str:
    """What it says of itself while it runs; then which run made its outputs, or why it had to run itself."""
    if record.state == "running":
        return record.progress
    return f"from {record.cached_from}" if record.cached_from else record.why_missed


def rows_of(record: TaskRecord) -> str:
    """The rows a task made, where its outputs say so."""
    return rows_in([one for found in record.outputs.values() for one in found])


def rows_in(artifacts: Sequence[ArtifactRecord]) -> str:
    for one in artifacts:
        rows = one.metadata.get("rows")
        if isinstance(rows, Mapping):  # by split
            rows = sum(part for part in rows.values() if isinstance(part, int | float))
        if isinstance(rows, int | float):
            return words.count(rows)
    return ""


def elapsed(record: RunRecord, now: float) -> float | None:
    if record.ended is None and record.state != "running":
        return None
    return (record.ended or now) - record.created


def task_time(record: TaskRecord, now: float) -> float | None:
    if record.started is None or (record.ended is None and record.state != "running"):
        return None
    return (record.ended or now) - record.started


def first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""

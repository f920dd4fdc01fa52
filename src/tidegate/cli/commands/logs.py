"""`tidegate logs`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli import completing, options
from tidegate.cli.clusters import cluster_of, copy_log, fresh, is_remote
from tidegate.cli.failures import CommandError
from tidegate.cli.references import find_run, find_task, open_store
from tidegate.cli.terminal import stderr
from tidegate.store.records import RunRecord, TaskRecord
from tidegate.store.store import Store

EXAMPLES = {
    "logs": """
tidegate logs latest                      the logs there are
tidegate logs latest trainer              all that the trainer printed
tidegate logs latest trainer -f           ... and goes on to print
tidegate logs latest loop/3/train -n 20
""",
}
_LOOK_SECONDS = 0.2
_BLOCK = 1 << 16


def logs(
    run: options.Run,
    task: Annotated[
        str,
        typer.Argument(metavar="[TASK]", help="The task's path, or its end.", autocompletion=completing.tasks),
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task ends.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", metavar="N", min=0, help="Only the last lines; 0: all.")] = 0,
    store: options.Store = None,
) -> None:
    """A task answered from the cache has the log of the run that made its outputs."""
    with open_store(store, make=False) as opened:
        record = find_run(opened, run)
        if not task:
            _contents([t for t in record.tasks if t.log])
            return
        found = _begun(opened, record, task) if follow else find_task(record, task)
        if is_remote(record) and not _exists(found.log):
            _from_cluster(record, found, tail, follow)
            return
        if found.cached_from and not _exists(found.log):
            found = find_task(find_run(opened, found.cached_from), found.path)
        if not _exists(found.log) and not follow:
            raise CommandError(
                f"task {found.path} of run {record.id} has no log",
                found=f"it is {found.state}" + (f": {found.error}" if found.error else ""),
            )

        def ended() -> bool:
            return opened.runs.task(found.run, found.path).state not in ("pending", "running", "waiting")

        _print(lambda: opened.runs.task(found.run, found.path).log, tail, ended if follow else None)


def _from_cluster(run: RunRecord, task: TaskRecord, tail: int, follow: bool) -> None:
    """The log as the cluster has it; of a task that ended it is kept in the store, since pods go."""
    if task.state in ("cached", "skipped", "pending"):
        raise CommandError(f"task {task.path} of run {run.id} has no log", found=f"it is {task.state}")
    cluster = cluster_of(run)
    pod = cluster.observe(run).pods.get(task.path, "")
    if task.state not in ("running", "waiting"):
        copy_log(cluster, run, task, pod)
        _print(lambda: task.log, tail, None)
        return
    pieces = cluster.log(run, task, pod, follow)
    if tail and not follow:
        pieces = iter(b"".join(pieces).splitlines(keepends=True)[-tail:])
    for piece in pieces:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _begun(store: Store, run: RunRecord, task: str) -> TaskRecord:
    """The task, once it has begun. Raises: CommandError where the run ends without it."""
    waits = False
    while True:
        try:
            return find_task(run, task)
        except CommandError:
            if run.state != "running":
                raise
        if not waits:
            stderr().print(f"waiting for a task {task!r} of run {run.id} to begin")
            waits = True
        time.sleep(_LOOK_SECONDS)
        run = fresh(store, store.runs.get(run.id))


def _exists(path: str) -> bool:
    return bool(path) and Path(path).is_file()


def _contents(records: list[TaskRecord]) -> None:
    from tidegate.cli import words
    from tidegate.cli.tables import Column, table
    from tidegate.cli.terminal import stdout
    from tidegate.cli.views.runs import state_cell

    rows = [
        (t.path, state_cell(t.state), words.size(Path(t.log).stat().st_size) if _exists(t.log) else "", t.log)
        for t in records
    ]
    columns = (Column("TASK"), Column("STATE"), Column("SIZE", right=True), Column("LOG", flexible=True, path=True))
    stdout().lines(table(columns, rows, stdout()) if rows else ["no task has a log yet"])


def _print(path: Callable[[], str], tail: int, ended: Callable[[], bool] | None) -> None:
    """Copy the log to stdout, byte by byte; with `ended`, go on until that says so (and what was left is printed)."""
    out = sys.stdout.buffer
    at, current = 0, ""
    while True:
        last = ended is None or ended()
        now = path()
        if now != current:  # another attempt began
            current, at = now, 0
        if _exists(current):
            with Path(current).open("rb") as file:
                if tail and not at:
                    at = _tail_start(current, tail)
                file.seek(at)
                while block := file.read(_BLOCK):
                    out.write(block)
                    at += len(block)
            out.flush()
        if last:
            return
        time.sleep(_LOOK_SECONDS)


def _tail_start(path: str, lines: int) -> int:
    """Where the last `lines` lines begin."""
    with Path(path).open("rb") as file:
        end = file.seek(0, 2)
        start, seen = end, 0
        while start > 0:
            step = min(_BLOCK, start)
            file.seek(start - step)
            block = file.read(step)
            for offset in range(len(block) - 1, -1, -1):
                if block[offset] == 10 and start - step + offset != end - 1:
                    seen += 1
                    if seen == lines:
                        return start - step + offset + 1
            start -= step
    return 0

"""Driving a run for someone who watches: progress while it goes, then what came of it, then the exit code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tidegate.cli import plain
from tidegate.cli.failures import CommandError, Exit
from tidegate.cli.output import Format, emit
from tidegate.cli.terminal import Terminal, stderr, stdout
from tidegate.cli.views import outcome
from tidegate.local.settings import load as load_settings
from tidegate.local.watch import Observer, RunView, TaskView
from tidegate.local.workers import Workers
from tidegate.store.records import RunRecord

Start = Callable[[Workers, Observer | None], Awaitable[RunRecord]]

CODES = {"succeeded": Exit.OK, "cancelled": Exit.INTERRUPTED}


def drive(start: Start, output: Format, quiet: bool) -> int:
    """Run what `start` begins, show how it goes, print what came of it; gives the exit code."""
    shown = progress(output, quiet)
    noting = _Noting()
    try:
        with shown as observer:
            record = asyncio.run(_driven(start, noting.before(observer)))
    except KeyboardInterrupt:  # the third Ctrl-C
        again = f"`tidegate resume {noting.run}` continues" if noting.run else ""
        raise CommandError("stopped at once", fix=again, code=Exit.INTERRUPTED) from None
    emit(output, lambda: plain.whole_run(record), lambda to, _wide: outcome.told(record, time.time(), to, quiet))
    return CODES.get(record.state, Exit.FAILED)


class _Noting:
    """Keeps the run's id, for when it is stopped before there is anything else to tell."""

    run = ""

    def before(self, observer: Observer | None) -> Observer:
        def note(view: RunView, changed: Sequence[TaskView]) -> None:
            self.run = view.id
            if observer is not None:
                observer(view, changed)

        return note


async def _driven(start: Start, observer: Observer | None) -> RunRecord:
    workers = Workers(load_settings())
    try:
        return await start(workers, observer)
    finally:
        await workers.close()


def progress(output: Format, quiet: bool) -> AbstractContextManager[Any]:
    """The observer: a live table at a terminal, lines elsewhere, nothing with `--quiet`. What machines read stays
    clean: beside `--output json` progress goes to stderr.
    """
    to: Terminal = stderr() if output.for_machines else stdout()
    if quiet:
        return nullcontext(None)
    if to.interactive:
        from tidegate.cli.views.live import Live

        return Live(to)
    from tidegate.cli.views.lines import Lines

    return Lines(to)

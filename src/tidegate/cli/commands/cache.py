"""`tidegate cache`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from tidegate.cli import dates, options, plain, words
from tidegate.cli.help import SETTINGS, Command, Defaulting
from tidegate.cli.output import Format, emit
from tidegate.cli.references import open_store
from tidegate.cli.tables import Column, table
from tidegate.cli.terminal import stdout

cache = typer.Typer(
    cls=Defaulting,
    rich_markup_mode=None,
    add_completion=False,
    context_settings=SETTINGS,
    help="""A task whose component, image, code and inputs are those of an earlier one gets its outputs; an entry counts
only while its content is intact. `tidegate run --dry-run` says what is cached, and why a miss is one.
`tidegate cache` alone is `tidegate cache ls`.""",
    epilog="""
tidegate cache ls                          what would answer
tidegate cache ls --component trainer
tidegate cache clear --component trainer   forget what the trainer computed
tidegate cache clear --before 7d           forget what is older than a week
""",
)

Component = Annotated[str, typer.Option("--component", metavar="NAME", help="Only entries of this component.")]


@cache.command("ls", cls=Command, context_settings=SETTINGS)
def ls(
    component: Component = "",
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many.")] = 50,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
) -> None:
    """List entries, last used first."""
    with open_store(store, make=False) as opened:
        entries = opened.cache.listing(component, limit)
    now = time.time()
    columns = (
        Column("COMPONENT", flexible=True),
        Column("TASK", flexible=True),
        Column("RUN"),
        Column("MADE", right=True),
        Column("USED", right=True),
        Column("KEY", wide=True),
    )
    rows = [(e.component, e.task, e.run, words.ago(e.created, now), words.ago(e.used, now), e.key) for e in entries]
    emit(
        output,
        lambda: [plain.cache_entry(entry) for entry in entries],
        lambda to, wide: table(columns, rows, to, wide) if rows else ["the cache is empty"],
    )


@cache.command("clear", cls=Command, context_settings=SETTINGS)
def clear(
    component: Component = "",
    before: Annotated[
        str, typer.Option("--before", metavar="DATE", help="Only entries made before it: 2026-11-20, 3h, 7d.")
    ] = "",
    store: options.Store = None,
) -> None:
    """Forget entries, so that their tasks run again. Files stay until `tidegate gc`."""
    with open_store(store, make=False) as opened:
        gone = opened.cache.clear(component, dates.moment(before, time.time(), "--before") if before else None)
    stdout().print(f"forgot {gone} cache {'entry' if gone == 1 else 'entries'}")

"""What the shell offers on TAB. Never fails: a completion that cannot be made is no completion."""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def runs(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """Runs of the store, newest first, and `latest`."""
    found = [("latest", "the last run")]
    with suppress(Exception):
        from tidegate.cli.references import open_store

        with open_store(ctx.params.get("store"), make=False) as store:
            found += [(record.id, record.state) for record in store.runs.listing(limit=50)]
    return [item for item in found if item[0].startswith(incomplete)]


def tasks(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """Tasks of the run that was typed before."""
    with suppress(Exception):
        from tidegate.cli.references import find_run, open_store

        with open_store(ctx.params.get("store"), make=False) as store:
            record = find_run(store, ctx.params["run"], as_stored=True)
            return [(t.path, t.state) for t in record.tasks if t.path.startswith(incomplete)]
    return []

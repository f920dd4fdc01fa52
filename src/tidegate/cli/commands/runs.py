"""`tidegate runs`, `tidegate show`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from tidegate.cli import options, plain
from tidegate.cli.clusters import all_fresh, take_in
from tidegate.cli.output import Format, emit
from tidegate.cli.references import find_run, open_store
from tidegate.cli.views import runs as view
from tidegate.cli.where import Engine, Where
from tidegate.store.records import RunRecord

EXAMPLES = {
    "runs": """
tidegate runs                          the last twenty, newest first
tidegate runs --pipeline flights -n 5  of one pipeline
tidegate runs --state failed -o json   for a script
tidegate runs --on argo --namespace ml  there, whoever started them
""",
    "show": """
tidegate show latest                   the last run
tidegate show latest:flights           the last run of the pipeline `flights`
tidegate show flights-2026             any unique beginning of an id
tidegate show latest -o json           all of it, for a script
""",
}


def runs(
    store: options.Store = None,
    pipeline: Annotated[str, typer.Option("--pipeline", metavar="NAME", help="Only runs of this pipeline.")] = "",
    state: Annotated[str, typer.Option("--state", metavar="STATE", help="Only runs in this state.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many.")] = 20,
    on: Annotated[
        Engine | None, typer.Option("--on", metavar="ENGINE", help="Only of this engine; argo: those of others, too.")
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", metavar="NAME", help="With --on argo: where.")] = "",
    context: Annotated[str, typer.Option("--context", metavar="NAME", help="With --on argo: which cluster.")] = "",
    output: options.Output = Format.TABLE,
) -> None:
    """Newest first, those on this machine and those on clusters (`-o wide` says where). A run that says `interrupted`
    lost its engine; `tidegate resume` continues it. With --on argo, what schedules, Git and colleagues started in the
    namespace is listed as well, and known from then on.
    """
    Where(on or (Engine.ARGO if namespace or context else Engine.LOCAL), context, namespace).check()
    with open_store(store, make=on is Engine.ARGO) as opened:
        listed = opened.runs.listing(pipeline)
        if on is Engine.ARGO:
            place = take_in(opened, Where(on, context, namespace))
            listed = [run for run in opened.runs.listing(pipeline) if _place(run) == place]
        elif on is not None:
            listed = [run for run in listed if run.engine == on]
        listed = all_fresh(opened, listed)
        records = [r for r in listed if not state or r.state == state][:limit]
    emit(
        output,
        lambda: [plain.run(record) for record in records],
        lambda to, wide: view.listing(records, time.time(), to, wide) if records else ["no runs"],
    )


def show(run: options.Run, store: options.Store = None, output: options.Output = Format.TABLE) -> None:
    """Its state, parameters and outputs; for each task its state, time, rows, peak memory, and whether the cache
    answered, or why it did not; and what failed.
    """
    with open_store(store, make=False) as opened:
        record = find_run(opened, run)
    emit(output, lambda: plain.whole_run(record), lambda to, wide: view.whole(record, time.time(), to, wide))


def _place(run: RunRecord) -> tuple[str, str] | None:
    return (run.settings["context"], run.settings["namespace"]) if run.engine == Engine.ARGO else None

"""`tidegate resume`, `tidegate retry`, `tidegate cancel`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import completing, inputs, options
from tidegate.cli.clusters import cancel_on_cluster, cluster_of, is_remote
from tidegate.cli.output import Format
from tidegate.cli.references import find_run, find_task, open_store
from tidegate.store.database import StoreError

if TYPE_CHECKING:
    from tidegate.local.load import Pipeline
    from tidegate.store.records import RunRecord
    from tidegate.store.store import Store

EXAMPLES = {
    "resume": """
tidegate resume latest        what was finished is kept, the rest runs
""",
    "retry": """
tidegate retry latest --from trainer        the trainer and all that follows
tidegate retry latest -p rate=0.1           with another parameter
tidegate retry latest --pipeline p.py       with changed code
""",
    "cancel": """
tidegate cancel latest        running tasks are stopped, exit tasks still run
""",
}


def resume(
    run: options.Run,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
) -> None:
    """After a kill, a crash or a power cut: exactly what had not finished runs, in the same run. A run that failed or
    was cancelled goes on as a new run that takes over all that was finished. A run on a cluster is followed again.
    """
    from tidegate.cli.running import drive
    from tidegate.local import engine

    with open_store(store, make=False) as opened:
        record = find_run(opened, run)
        id = record.id
        if is_remote(record):
            raise typer.Exit(_resumed(opened, record, output, quiet))
        code = drive(
            lambda workers, observer: engine.resume(id, store=opened, workers=workers, observer=observer), output, quiet
        )
    raise typer.Exit(code)


def retry(
    run: options.Run,
    from_task: Annotated[
        str,
        typer.Option(
            "--from", metavar="TASK", help="Run this task again in any case.", autocompletion=completing.tasks
        ),
    ] = "",
    parameters: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="Change a parameter.")
    ] = None,
    pipeline: Annotated[
        str, typer.Option("--pipeline", metavar="PIPELINE", help="The changed pipeline; else as it was then.")
    ] = "",
    store: options.Store = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
) -> None:
    """A new run that takes over what the other one finished, wherever code and inputs are still the same; on the same
    engine, and on a cluster by its cache (tasks whose caching is off run again there).
    """
    from tidegate.cli.commands.pipelines import load
    from tidegate.cli.running import drive
    from tidegate.local import engine

    with open_store(store, make=False) as opened:
        record = find_run(opened, run)
        task = find_task(record, from_task).path if from_task else ""
        changed = load(pipeline, store) if pipeline else None
        given = inputs.given(parameters or [], None)
        command = shlex.join(["tidegate", *sys.argv[1:]])
        if is_remote(record):
            raise typer.Exit(_sent_again(opened, record, task, changed, given, command, output, quiet))
        code = drive(
            lambda workers, observer: engine.retry(
                record.id,
                store=opened,
                workers=workers,
                from_task=task,
                pipeline=changed,
                parameters=given,
                observer=observer,
                command=command,
            ),
            output,
            quiet,
        )
    raise typer.Exit(code)


def cancel(run: options.Run, store: options.Store = None) -> None:
    """What is finished is kept. Exit tasks (`dsl.ExitHandler`) still run; cancelled once more, they are stopped too."""
    from tidegate.cli.terminal import stdout
    from tidegate.local import engine

    with open_store(store, make=False) as opened:
        record = find_run(opened, run)
        if is_remote(record):
            cancel_on_cluster(opened, record)
            stdout().print(f"asked {record.engine} to stop run {record.id}; `tidegate resume {record.id}` follows it")
            return
        id = engine.cancel(record.id, store=opened)
    stdout().print(f"asked run {id} to cancel; `tidegate resume {id}` continues it later")


def _resumed(store: Store, run: RunRecord, output: Format, quiet: bool) -> int:
    """Follow it where it goes on; else what `engine.resume` does, on the cluster."""
    from tidegate.cli.following import drive

    if run.state == "running":
        return drive(store, run, cluster_of(run), output, quiet)
    if run.state == "succeeded":
        raise StoreError(f"run {run.id} succeeded: nothing is left to do")
    return _sent_again(store, run, "", None, {}, "", output, quiet)


def _sent_again(
    store: Store,
    run: RunRecord,
    task: str,
    changed: Pipeline | None,
    given: dict[str, Any],
    command: str,
    output: Format,
    quiet: bool,
) -> int:
    from tidegate.cli import sending

    if run.state == "running":
        raise StoreError(f"run {run.id} is still running: `tidegate cancel {run.id}` first")
    job = replace(sending.job_again(run, changed, given, command), again=task)
    return sending.start(store, job, output, quiet, detach=False)

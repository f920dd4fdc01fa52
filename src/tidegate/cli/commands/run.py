"""`tidegate run`."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import dates, inputs, options
from tidegate.cli.output import Format, emit
from tidegate.cli.where import Engine, Where

if TYPE_CHECKING:
    from tidegate.cli.dry_run import Foreseen
    from tidegate.cli.sending import Job
    from tidegate.cli.terminal import Terminal

EXAMPLES = {
    "run": """
tidegate run pipeline.py                       the only pipeline in the file
tidegate run pipeline.py:nightly -p rows=1000 -p 'splits={"train": 4}'
tidegate run my.package:pipeline -f params.yaml
tidegate run pipeline.yaml                     compiled by kfp, or here
tidegate run pipeline.py --dry-run             what is cached, and why not
tidegate run pipeline.py --on argo --namespace ml
tidegate run pipeline.py --on kubeflow --experiment nightly
tidegate run pipeline.py --on argo --dry-run   the manifests, as sent
tidegate run pipeline.py -o json > result.json
""",
}


def run(
    pipeline: options.Pipeline,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; lists and mappings as JSON."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--params-file", "-f", metavar="FILE", help="Parameters from a YAML or JSON file.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run everything again.")] = False,
    cache_after: Annotated[
        str, typer.Option("--cache-after", metavar="DATE", help="Only newer results answer: 2026-11-20, 3h, 7d.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, what is cached, and why not.")
    ] = False,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What the run's id begins with; else the pipeline's name.")
    ] = "",
    max_tasks: Annotated[
        int, typer.Option("--max-tasks", metavar="N", min=0, help="Tasks at once; 0: as cores and memory allow.")
    ] = 0,
    secrets: Annotated[
        Path | None, typer.Option("--secrets", metavar="FILE", help="Secrets and config maps that tasks ask for.")
    ] = None,
    on: Annotated[
        Engine, typer.Option("--on", metavar="ENGINE", help="local, argo (Argo Workflows) or kubeflow.")
    ] = Engine.LOCAL,
    namespace: Annotated[str, typer.Option("--namespace", metavar="NAME", help="On a cluster: where it runs.")] = "",
    context: Annotated[str, typer.Option("--context", metavar="NAME", help="Which cluster, by kubeconfig.")] = "",
    service_account: Annotated[
        str, typer.Option("--service-account", metavar="NAME", help="On a cluster: whom its pods run as.")
    ] = "",
    host: Annotated[
        str, typer.Option("--host", metavar="URL", help="Kubeflow's address [default: $KF_PIPELINES_ENDPOINT].")
    ] = "",
    experiment: Annotated[
        str, typer.Option("--experiment", metavar="NAME", help="Kubeflow's experiment [default: Default].")
    ] = "",
    detach: Annotated[bool, typer.Option("--detach", help="On a cluster: send it and return.")] = False,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
) -> None:
    """Independent tasks run at the same time; what was computed before, from the same code and inputs, comes from the
    cache. Ctrl-C cancels and keeps what is done; Ctrl-C again stops at once; `tidegate resume` continues.

    With --on it runs on a cluster, as your kubeconfig reaches it, and is followed here; Ctrl-C stops following (the run
    goes on; `tidegate resume` follows it again, `tidegate cancel` stops it). What cannot run there is refused before
    anything is sent.
    """
    from tidegate.cli.commands.pipelines import load
    from tidegate.cli.references import open_store
    from tidegate.local import engine

    given = inputs.given(parameters or [], file)
    where = Where(on, context, namespace, host, experiment, service_account)
    where.check()
    if on is not Engine.LOCAL:
        _refuse(where, {"--cache-after": cache_after, "--max-tasks": max_tasks, "--secrets": secrets})
        from tidegate.cli.sending import Job

        command = shlex.join(["tidegate", *sys.argv[1:]])
        job = Job(load(pipeline, store), given, where, not no_cache, name, command)
        raise typer.Exit(_remote(job, dry_run, detach, store, output, quiet))
    after = dates.moment(cache_after, time.time(), "--cache-after") if cache_after else None
    with open_store(store) as opened:
        loaded = load(pipeline, store)
        if dry_run:
            found = _foresee(loaded, given, opened, not no_cache, after)
            emit(output, lambda: _data(found), lambda to, wide: _told(found, to, wide))
            return
        from tidegate.cli.running import drive

        how = engine.Options(not no_cache, after, max_tasks=max_tasks, secrets=str(secrets or ""))
        command = shlex.join(["tidegate", *sys.argv[1:]])
        code = drive(
            lambda workers, observer: engine.run(
                loaded,
                given,
                store=opened,
                workers=workers,
                observer=observer,
                options=how,
                command=command,
                name=name,
            ),
            output,
            quiet,
        )
    raise typer.Exit(code)


def _refuse(where: Where, given: dict[str, Any]) -> None:
    """Options about this machine, with `--on` another."""
    from tidegate.cli.failures import CommandError

    for option, value in given.items():
        if value:
            raise CommandError(f"{option} means nothing with --on {where.engine}: it is about runs on this machine")


def _remote(job: Job, dry_run: bool, detach: bool, store: Path | None, output: Format, quiet: bool) -> int:
    from tidegate.cli import sending
    from tidegate.cli.references import open_store

    if dry_run:
        sending.show(job)
        return 0
    with open_store(store) as opened:
        return sending.start(opened, job, output, quiet, detach)


def _foresee(loaded: Any, given: dict[str, Any], store: Any, caching: bool, after: float | None) -> list[Foreseen]:
    from tidegate.cli.dry_run import foresee
    from tidegate.graph.build import build
    from tidegate.local.settings import load as load_settings
    from tidegate.local.workers import Workers
    from tidegate.spec import check_parameters
    from tidegate.spec import load as read

    spec = read(loaded.spec, loaded.where)
    values = check_parameters(spec, given)
    return foresee(build(spec), values, store, Workers(load_settings()), Path.cwd(), caching, after)


def _data(found: list[Foreseen]) -> dict[str, Any]:
    tasks = {f.path: {"would": f.would, "why": f.why, "cached_from": f.cached_from} for f in found}
    return {"dry_run": True, "tasks": tasks}


def _told(found: list[Foreseen], to: Terminal, wide: bool) -> list[str]:
    from tidegate.cli.tables import Cell, Column, table

    styles = {"cached": "cyan", "run": "bold", "fail": "red", "skip": "dim", "run later": ""}
    columns = (Column("TASK", flexible=True, path=True), Column("WOULD"), Column("WHY", flexible=True, optional=True))
    rows = [
        (f.path, Cell("be cached" if f.would == "cached" else f.would, styles.get(f.would, "")), _why(f)) for f in found
    ]
    cached = sum(f.would == "cached" for f in found)
    running = sum(f.would.startswith("run") for f in found)
    return [*table(columns, rows, to, wide), "", f"{cached} cached, {running} to run; nothing was started"]


def _why(found: Foreseen) -> str:
    return f"from {found.cached_from}" if found.cached_from else found.why

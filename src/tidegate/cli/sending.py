"""`--on`: what a run on a cluster sends (pure, and what `--dry-run` prints), then sending it and following the run."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidegate.cli.failures import CommandError
from tidegate.cli.output import Format
from tidegate.cli.terminal import stdout
from tidegate.cli.where import Engine, Where
from tidegate.local import machine
from tidegate.local.load import Pipeline
from tidegate.spec import check_parameters
from tidegate.spec import load as read
from tidegate.store.places import run_id
from tidegate.store.records import RunRecord
from tidegate.store.store import Store

if TYPE_CHECKING:
    from tidegate.argo.options import Options as ArgoOptions
    from tidegate.argo.submit import Submission
    from tidegate.kubeflow.prepare import Request

_NAME = 40  # characters of a run's id that come from its name: with time and number it stays a Kubernetes name


@dataclass(frozen=True, slots=True)
class Job:
    """A run to be sent, and all that its record will say of it."""

    pipeline: Pipeline
    parameters: Mapping[str, Any]
    """As given; typed and completed when it is prepared."""
    where: Where
    caching: bool = True
    name: str = ""
    command: str = ""
    parent: str = ""
    again: str = ""
    """A task to do again, with all that follows, whatever the cache has."""
    code: str = ""


def job_again(before: RunRecord, changed: Pipeline | None, parameters: Mapping[str, Any], command: str) -> Job:
    """The run that retries another one, on the same engine: what that one finished comes from the cache."""
    said = {name: str(before.settings.get(name, "")) for name in Where.__slots__ if name != "engine"}
    if not before.spec and changed is None:
        raise CommandError(
            f"run {before.id} was started elsewhere, and what it ran is not known here",
            fix="say it: `tidegate retry RUN --pipeline pipeline.py`",
        )
    return Job(
        pipeline=changed or Pipeline(before.spec, None, before.pipeline),
        parameters={**before.parameters, **parameters},
        where=Where(Engine(before.engine), **said),
        caching=bool(before.settings.get("caching", True)),
        command=command or before.command,
        parent=before.id,
        code="" if changed else before.code,
    )


def show(job: Job) -> None:
    """`--dry-run`: the very documents that a run would send, on stdout."""
    import yaml

    _, prepared, _ = _prepared(job)
    stdout().file.write(yaml.safe_dump_all(prepared.documents(), sort_keys=False, allow_unicode=True, width=120))


def start(store: Store, job: Job, output: Format, quiet: bool, detach: bool) -> int:
    """Send the run, record it, and follow it (or not); gives the exit code. Raises: ClusterError, SpecError."""
    from tidegate.cli.clusters import cluster_of
    from tidegate.cli.following import drive

    id, prepared, values = _prepared(job)
    where = job.where
    settings = {name: getattr(where, name) for name in Where.__slots__ if name != "engine"}
    settings |= {"caching": job.caching}
    source = job.pipeline.source
    record = RunRecord(
        id=id,
        pipeline=prepared.pipeline,
        state="running",
        created=time.time(),
        ended=None,
        user=machine.user(),
        engine=where.engine.value,
        parameters=values,
        error="",
        code=machine.code_version(source.parent) if source else job.code,
        spec=job.pipeline.spec,
        command=job.command,
        parent=job.parent,
        settings=settings,
    )
    cluster = cluster_of(record)
    record = replace(record, settings=settings | cluster.send(prepared))
    store.runs.create(record)
    store.runs.folder(id).mkdir(parents=True, exist_ok=True)
    if detach:
        link = cluster.link(record)
        stdout().print(
            id if quiet else f"run {id} is sent{f': {link}' if link else ''}; `tidegate resume {id}` follows it"
        )
        return 0
    return drive(store, record, cluster, output, quiet)


def _prepared(job: Job) -> tuple[str, Submission | Request, dict[str, Any]]:
    """The run's id, what is sent for it, and its parameters. Raises: SpecError, RefusedError, CommandError."""
    spec = read(job.pipeline.spec, job.pipeline.where)
    values = check_parameters(spec, job.parameters)
    now = datetime.fromtimestamp(time.time())
    id = run_id((job.name or spec.name)[:_NAME], now, secrets.randbits(16))
    if job.where.engine is Engine.KUBEFLOW:
        from tidegate.kubeflow import prepare as kubeflow

        if job.again:
            raise CommandError(
                "Kubeflow cannot do one task again whatever its cache has", fix="without --from, or with --no-cache"
            )
        chosen = kubeflow.Options(job.where.experiment or "Default", job.caching, job.where.service_account)
        return id, kubeflow.prepare(spec, job.pipeline.spec, values, id, chosen), values
    from tidegate.argo import runner, submit

    options = _argo_options(job)
    return id, submit.prepare(spec, values, id, options, runner.archive(), job.again, machine.user()), values


def _argo_options(job: Job) -> ArgoOptions:
    """As the project says, with what the command line says over it."""
    from tidegate.argo import settings

    given = settings.load()
    return replace(
        given,
        namespace=job.where.namespace or given.namespace,
        service_account=job.where.service_account or given.service_account,
        caching=job.caching and given.caching,
    )

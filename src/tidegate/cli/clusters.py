"""Runs on clusters, for commands that look at runs: connected where needed, brought up to date, never in the way.

Nothing of a cluster's clients is imported for a store that has only local runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.cli.terminal import stderr
from tidegate.cli.where import Engine, Where
from tidegate.store.places import segment
from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord
from tidegate.store.store import Store

if TYPE_CHECKING:
    from tidegate.cluster.observed import Cluster, Observed

LOCAL = "local"
_READ = frozenset(  # what reports and diffs look into
    {
        "ExampleStatistics",
        "ExampleAnomalies",
        "ModelBlessing",
        "ModelEvaluation",
        "ModelRun",
        "InfraBlessing",
        "PushedModel",
        "HTML",
        "Markdown",
    }
)
_MOST_LOGS = 3  # of failed tasks, copied when somebody looks


def is_remote(run: RunRecord) -> bool:
    return run.engine != LOCAL


def cluster_of(run: RunRecord) -> Cluster:
    """The engine that has the run, connected. Raises: ClusterError."""
    return _connected(run.engine, *(str(run.settings.get(name, "")) for name in ("host", "context", "namespace")))


@cache
def _connected(engine: str, host: str, context: str, namespace: str) -> Cluster:
    if engine == "argo":
        from tidegate.argo.submit_engine import Argo
        from tidegate.cluster.kube import connect

        return Argo(connect(context, namespace))
    if engine == "kubeflow":
        from tidegate.kubeflow.engine import Address, Kubeflow

        return Kubeflow(Address(host, context, namespace))
    from tidegate.cluster.observed import ClusterError

    raise ClusterError(f"this tidegate knows no engine {engine!r}: upgrade it to look at the run")


def fresh(store: Store, run: RunRecord) -> RunRecord:
    """The run as it stands; where the cluster does not answer, as it was last seen (and stderr says so)."""
    if not is_remote(run) or run.state != "running":
        return run
    from tidegate.cluster.observed import ClusterError

    try:
        cluster = cluster_of(run)
        observed, changed = look(store, run, cluster)
        failed = [task for task in changed if task.state == "failed" and task.kind == "task"]
        for task in failed[:_MOST_LOGS]:
            with contextlib.suppress(ClusterError):
                copy_log(cluster, run, task, observed.pods.get(task.path, ""))
    except ClusterError as error:
        stderr().print(f"run {run.id} is shown as it was last seen: {error}")
    return store.runs.get(run.id)


def all_fresh(store: Store, runs: Iterable[RunRecord]) -> list[RunRecord]:
    """Listings: each as `fresh` gives it; a cluster that does not answer is asked once."""
    from tidegate.cluster.observed import UnreachableError

    silent: set[tuple[str, str]] = set()
    found = []
    for run in runs:
        where = run.engine, str(run.settings.get("context", ""))
        if is_remote(run) and run.state == "running" and where not in silent:
            try:
                look(store, store.runs.get(run.id), cluster_of(run))
            except Exception as error:
                if not _is_cluster_error(error):
                    raise
                if isinstance(error, UnreachableError):
                    silent.add(where)
                stderr().print(f"run {run.id} is shown as it was last seen: {error}")
            run = store.runs.get(run.id)
        found.append(run)
    return found


def look(store: Store, run: RunRecord, cluster: Cluster) -> tuple[Observed, list[TaskRecord]]:
    """Ask the cluster and record what it says; gives that, and the tasks that changed.

    Raises: UnreachableError, ClusterError. A run that the cluster has no more ends as failed.
    """
    from tidegate.cluster.observed import GoneError, Observed
    from tidegate.cluster.recording import record

    try:
        observed = cluster.observe(run)
    except GoneError as error:
        observed = Observed("failed", run.created, f"what became of it is not known: {error}", tasks=run.tasks)
    return observed, record(store, run, observed)


def take_in(store: Store, where: Where) -> tuple[str, str]:
    """Record the runs that others started where `where` says; gives the context and namespace that it stands for.

    Raises: ClusterError, CommandError.
    """
    from tidegate.cli.failures import CommandError
    from tidegate.cluster.recording import record

    if where.engine is not Engine.ARGO:
        raise CommandError(
            "runs that others started are known of Argo only", fix="--on argo; Kubeflow's own UI lists its runs"
        )
    from tidegate.argo.submit_engine import Argo
    from tidegate.cluster.kube import connect

    kube = connect(where.context, where.namespace)
    known = {str(run.settings.get("uid", "")) for run in store.runs.listing()}
    taken = {run.id for run in store.runs.listing()}
    for run, observed in Argo(kube).others(known):
        if run.id in taken:  # a name that was used before, of a workflow that is gone
            run = replace(run, id=f"{run.id}-{str(run.settings['uid'])[:4]}")
        with store.transaction():
            store.runs.create(run)
            record(store, run, observed)
    return kube.place.context, kube.place.namespace


def cancel_on_cluster(store: Store, run: RunRecord) -> None:
    """Asked again, exit tasks end as well. Raises: ClusterError; StoreError where the run has ended."""
    from tidegate.store.database import StoreError

    if run.state != "running":
        raise StoreError(f"run {run.id} is not running: it is {run.state}")
    asked = store.runs.folder(run.id) / "cancelled"
    cluster_of(run).cancel(run, again=asked.exists())
    asked.parent.mkdir(parents=True, exist_ok=True)
    asked.touch()


def copy_log(cluster: Cluster, run: RunRecord, task: TaskRecord, pod: str) -> None:
    """The task's log into the store. Raises: ClusterError."""
    if not task.log:
        return
    path = Path(task.log)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            file.writelines(cluster.log(run, task, pod, False))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def readable(run: RunRecord) -> RunRecord:
    """The run with the artifacts that people look at where they can be read: copied from the cluster's object store.

    What cannot be had stays where it is, and stderr says why.
    """
    if not is_remote(run):
        return run
    from tidegate.cluster.observed import ClusterError

    told: set[str] = set()
    tasks = []
    for task in run.tasks:
        outputs = {}
        for name, found in task.outputs.items():
            outputs[name] = found
            if len(found) != 1 or not task.folder or not _worth_reading(found[0]):
                continue
            place = Path(task.folder) / "outputs" / segment(name)
            try:
                if not place.exists():
                    cluster_of(run).fetch(run, found[0], place)
                outputs[name] = (replace(found[0], uri=str(place)),)
            except (ClusterError, OSError) as error:
                told.add(str(error))
        tasks.append(replace(task, outputs=outputs))
    for text in sorted(told):
        stderr().print(f"not all artifacts of run {run.id} can be read: {text}")
    return replace(run, tasks=tuple(tasks))


def _worth_reading(artifact: ArtifactRecord) -> bool:
    return "://" in artifact.uri and artifact.type.rpartition(".")[2] in _READ


def _is_cluster_error(error: Exception) -> bool:
    from tidegate.cluster.observed import ClusterError

    return isinstance(error, ClusterError)

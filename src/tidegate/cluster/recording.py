"""An observed run into the store: the same rows that a local run leaves, so that all that reads them works unchanged.

The store's rows are a copy of what the cluster says; looking again brings them up to date. What the cluster forgets
later (workflows and pods have a time to live) stays known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tidegate.cluster.observed import TASK_ENDS, Observed
from tidegate.graph.work import Artifact
from tidegate.store.artifacts import IN, OUT
from tidegate.store.digests import Content
from tidegate.store.places import task_folder
from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord
from tidegate.store.store import Store

EARLIER = "(an earlier one)"
"""For `cached_from`, where nobody says which."""
# fmt: off
_SHOWN = (
    "component", "kind", "state", "attempt", "created", "started", "ended", "cached_from", "cache_key", "why_missed",
    "error", "cpu_seconds", "peak_memory",
)
# fmt: on


def record(store: Store, run: RunRecord, observed: Observed) -> list[TaskRecord]:
    """Make the store say what was observed; gives the tasks that changed, with their logs' places.

    `run`: with the tasks that the store knew before.
    """
    known = {task.path: task for task in run.tasks}
    changed = []
    with store.transaction():
        for task in observed.tasks:
            placed = _placed(store, run.id, task)
            before = known.get(task.path)
            if before is not None and _same(before, placed):
                continue
            changed.append(placed)
            _put(store, run.id, placed)
            _link(store, run.id, placed, before)
        if (run.state, run.ended, run.error) != (observed.state, observed.ended, observed.error):
            store.runs.update(
                run.id,
                state=observed.state,
                ended=observed.ended,
                error=observed.error,
                outputs=observed.outputs,
            )
    return changed


def _placed(store: Store, run: str, task: TaskRecord) -> TaskRecord:
    """The task with the folder that its log is copied to; and with the run that a cached one's outputs are of."""
    if task.state == "cached" and not task.cached_from:
        task = replace(task, cached_from=store.runs.maker(task.cache_key) or EARLIER)
    if task.kind != "task" or task.state == "skipped":
        return task
    folder = task_folder(store.runs.folder(run), task.path) / f"attempt-{max(task.attempt, 1)}"
    return replace(task, run=run, folder=str(folder), log=str(folder / "log.txt"))


def _same(before: TaskRecord, now: TaskRecord) -> bool:
    return (
        all(getattr(before, name) == getattr(now, name) for name in (*_SHOWN, "folder"))
        and before.output_parameters == now.output_parameters
        and before.outputs.keys() >= now.outputs.keys()
    )


def _put(store: Store, run: str, task: TaskRecord) -> None:
    store.runs.put_task(
        run,
        task.path,
        **{name: getattr(task, name) for name in _SHOWN},
        folder=task.folder,
        parameters=task.parameters,
        outputs=task.output_parameters,
    )


def _link(store: Store, run: str, task: TaskRecord, before: TaskRecord | None) -> None:
    """What the task took and gave, each once; a cached task gives what another run made."""
    taken = before.inputs if before else {}
    for name, artifacts in task.inputs.items():
        ids = [id for each in artifacts if (id := store.artifacts.id_of(run, _artifact(each))) is not None]
        if ids and len(taken.get(name, ())) < len(ids):
            store.artifacts.linked(run, task.path, IN, name, ids)
    if task.state not in TASK_ENDS:
        return
    given = before.outputs if before else {}
    for name, artifacts in task.outputs.items():
        if name not in given:
            store.artifacts.linked(run, task.path, OUT, name, list(_made(store, run, task, artifacts)))


def _made(store: Store, run: str, task: TaskRecord, artifacts: tuple[ArtifactRecord, ...]) -> Iterator[int]:
    for each in artifacts:
        artifact = _artifact(each)
        known = store.artifacts.id_of(run, artifact) if task.state == "cached" else None
        if known is not None:
            yield known
        else:
            yield store.artifacts.made(run, task.path, artifact, Content(each.digest, each.size, ""), _ended(task))


def _ended(task: TaskRecord) -> float:
    return task.ended or task.started or task.created or 0.0


def _artifact(record: ArtifactRecord) -> Artifact:
    metadata: Mapping[str, object] = record.metadata
    return Artifact(record.name, record.uri, record.type, metadata=metadata, digest=record.digest)

"""What a run's events mean to those who look: rows in the store, and the view that observers get."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.graph.model import Dag, Graph
from tidegate.graph.work import Artifact, Outputs, Work
from tidegate.local.attempt import Contents
from tidegate.local.codec import encode_outputs
from tidegate.local.events import RunEnded, Settled, Start, TaskFailed, TaskState, TaskSucceeded
from tidegate.local.execution import Outcome
from tidegate.local.lookup import Answer
from tidegate.local.state import State
from tidegate.local.watch import RunView, TaskView
from tidegate.store.artifacts import IN, OUT
from tidegate.store.digests import Content
from tidegate.store.records import CacheEntry, TaskRecord
from tidegate.store.runs import LOG
from tidegate.store.store import Store

_REMOTE = Content("", 0, "")


@dataclass(frozen=True, slots=True)
class Report:
    """What the driver knows of an attempt beside the event that ended it."""

    work: Work
    answer: Answer | None = None
    contents: Contents = field(default_factory=dict)
    outcome: Outcome | None = None


class Recorder:
    """Called inside the transaction that stores the event; `view` and rows say the same."""

    def __init__(self, store: Store, view: RunView, graph: Graph) -> None:
        self.store = store
        self.view = view
        self.changed: dict[str, TaskView] = {}
        self._run = view.id
        self._known: dict[tuple[str, str, str], int] = {}
        self._least = _leaves(graph.root.body)
        self._leaves: set[str] = set()

    # ------------------------------------------------------------ what happens to tasks
    def started(self, start: Start, at: float, folder: Path) -> None:
        work, path = start.work, start.work.path
        self.store.runs.put_task(
            self._run,
            path,
            component=work.component,
            state=TaskState.RUNNING.value,
            attempt=start.attempt,
            started=at,
            ended=None,
            folder=str(folder),
            error="",
            **({"created": at, "parameters": work.parameters} if start.attempt == 1 else {}),
        )
        if start.attempt == 1:
            for name, artifacts in work.artifacts.items():
                ids = [id for id in map(self._id_of, artifacts) if id is not None]
                self.store.artifacts.linked(self._run, path, IN, name, ids)
        self._see(
            path, component=work.component, state=TaskState.RUNNING, attempt=start.attempt,
            started=at, ended=None, log=folder / LOG, message="", done=None, total=None,
        )  # fmt: skip

    def waits(self, event: TaskFailed, report: Report | None) -> None:
        """An attempt failed, and another one follows."""
        self.store.runs.put_task(
            self._run, event.path, state=TaskState.WAITING.value, error=event.error, **_used(report)
        )
        self._see(event.path, state=TaskState.WAITING, error=event.error)

    def settled(
        self, settled: Settled, at: float, state: State, event: TaskSucceeded | None, report: Report | None
    ) -> None:
        node = state.nodes[settled.path]
        component = node.task.component.name if node.task is not None else ""
        same: dict[str, Any] = {"component": component, "kind": settled.kind, "ended": at, "error": settled.error}
        fields = {**same, "state": settled.state.value}
        seen = {**same, "state": settled.state}
        if event is not None:
            cached = settled.state is TaskState.CACHED
            self._gave(event, report, at, cached)
            fields |= {"outputs": event.outputs.parameters, "cached_from": event.cached_from}
            fields |= {"folder": ""} if cached else {}
            seen |= {"cached_from": event.cached_from, "rows": _rows(event.outputs), "verdict": _verdict(event.outputs)}
        if report is not None and report.answer is not None:
            fields |= {"cache_key": report.answer.key, "why_missed": report.answer.why_missed}
            seen["why_missed"] = report.answer.why_missed
        self.store.runs.put_task(self._run, settled.path, **fields, **_used(report))
        self._see(settled.path, **seen)

    def ended(self, ended: RunEnded, at: float) -> None:
        outputs = encode_outputs(ended.outputs)
        self.store.runs.update(self._run, state=ended.state.value, ended=at, error=ended.error, outputs=outputs)
        self.view.state, self.view.ended, self.view.error = ended.state, at, ended.error
        self.view.outputs = outputs

    def remember(self, tasks: Iterable[TaskRecord]) -> None:
        """What a resumed run did before."""
        for task in tasks:
            self._see(
                task.path, component=task.component, kind=task.kind, state=TaskState(task.state), attempt=task.attempt,
                started=task.started, ended=task.ended, cached_from=task.cached_from, why_missed=task.why_missed,
                error=task.error, log=Path(task.log) if task.log else None,
            )  # fmt: skip

    # ------------------------------------------------------------ artifacts
    def _gave(self, event: TaskSucceeded, report: Report | None, at: float, cached: bool) -> None:
        if cached:  # the lookup linked what it found
            return
        contents: Contents = report.contents if report else {}
        for name, artifacts in event.outputs.artifacts.items():
            ids = []
            for position, artifact in enumerate(artifacts):
                content = contents.get((name, position), _REMOTE)
                id = self.store.artifacts.made(self._run, event.path, artifact, content, at)
                self._known[_identity(artifact)] = id
                ids.append(id)
            self.store.artifacts.linked(self._run, event.path, OUT, name, ids)
        if report and report.answer and report.work.caching:
            answer = report.answer
            self.store.cache.put(
                CacheEntry(
                    key=answer.key,
                    pipeline=self.view.pipeline,
                    component=report.work.component,
                    run=self._run,
                    task=event.path,
                    parts=answer.parts,
                    outputs=json.dumps(encode_outputs(event.outputs)),
                    created=at,
                    used=at,
                )
            )

    def _id_of(self, artifact: Artifact) -> int | None:
        identity = _identity(artifact)
        if identity not in self._known:
            id = self.store.artifacts.id_of(self._run, artifact)
            if id is None:
                return None
            self._known[identity] = id
        return self._known[identity]

    def _see(self, path: str, **fields: Any) -> None:
        view = self.view.task(path, **fields)
        self.changed[path] = view
        if view.kind == "task" and path not in self._leaves:
            self._leaves.add(path)
            self.view.total = max(self._least, len(self._leaves))


def _identity(artifact: Artifact) -> tuple[str, str, str]:
    return artifact.uri, artifact.digest, artifact.name


def _used(report: Report | None) -> Mapping[str, Any]:
    if report is None or report.outcome is None:
        return {}
    return {"cpu_seconds": report.outcome.cpu_seconds, "peak_memory": report.outcome.peak_memory}


def _rows(outputs: Outputs) -> int | None:
    for artifacts in outputs.artifacts.values():
        for artifact in artifacts:
            rows = artifact.metadata.get("rows")
            if isinstance(rows, int | float) and not isinstance(rows, bool):
                return int(rows)
    return None


def _verdict(outputs: Outputs) -> str:
    """What a component that judges says of what it found: `BLESSED: 7 of 7 requirements hold`."""
    said = (each.metadata.get("verdict") for found in outputs.artifacts.values() for each in found)
    return next((verdict for verdict in said if isinstance(verdict, str)), "")


def _leaves(body: Any) -> int:
    """Tasks that the pipeline has as written: each loop's once."""
    return sum(_leaves(task.component.body) for task in body.tasks.values()) if isinstance(body, Dag) else 1

"""What `tidegate.run` gives: a run's tasks and outputs, as a script or a notebook wants them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.graph.placeholders import path_of
from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord

_TAIL = 20  # lines of a failed task's log


class RunFailed(Exception):  # noqa: N818 - what happened, as `result.state` says it
    """The run did not succeed; the message names the task, says why and ends with its log. `result` has the rest."""

    def __init__(self, result: Result) -> None:
        self.result = result
        failed = [task for task in result.tasks.values() if task.state == "failed"]
        said = [f"run {result.id} {result.state}" + (f": {result.error}" if result.error else "")]
        for task in failed[:1]:
            tail = task.log.splitlines()[-_TAIL:]
            if tail:
                said += [f"the last lines of {task.path}'s log ({task.log_path}):", *(f"  {line}" for line in tail)]
        said.append(f"`tidegate resume {result.id}` goes on with what had not finished")
        super().__init__("\n".join(said))


@dataclass(frozen=True, slots=True)
class OutputArtifact:
    """An artifact that a task made."""

    name: str
    type: str
    uri: str
    digest: str
    metadata: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """Where its content lies; for a remote URI, where KFP would mount it."""
        return Path(path_of(self.uri))

    def __fspath__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class TaskResult:
    path: str
    """Its place in the pipeline: `train`, `loop/3/train`."""
    state: str
    """`succeeded`, `cached`, `failed`, `skipped` or `cancelled`."""
    error: str
    outputs: Mapping[str, Any]
    """Parameters as values, artifacts as OutputArtifact, lists of artifacts as lists."""
    seconds: float
    cached_from: str
    """The run that made the outputs, where the cache answered."""
    why_missed: str
    log_path: Path | None

    @property
    def log(self) -> str:
        """What it printed; empty where it did not run."""
        try:
            return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path else ""
        except FileNotFoundError:
            return ""


class Tasks(Mapping[str, TaskResult]):
    """By path; the end of a path does where no other task shares it."""

    def __init__(self, tasks: Mapping[str, TaskResult]) -> None:
        self._tasks = tasks

    def __getitem__(self, path: str) -> TaskResult:
        if path in self._tasks:
            return self._tasks[path]
        near = [each for each in self._tasks if each.endswith(f"/{path}")]
        if len(near) == 1:
            return self._tasks[near[0]]
        known = ", ".join(near or self._tasks) or "none"
        raise KeyError(f"{'several tasks' if near else 'no task'} {path!r}; there are: {known}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    state: str
    """`succeeded`, `failed` or `cancelled`."""
    error: str
    tasks: Tasks
    """Of the kind `task`; loops and nested pipelines show as their tasks' paths."""
    outputs: Mapping[str, Any]
    """The pipeline's own."""
    seconds: float
    record: RunRecord
    """All that the store knows of it."""

    @property
    def succeeded(self) -> bool:
        return self.state == "succeeded"


def result_of(record: RunRecord) -> Result:
    tasks = {task.path: _task(task) for task in record.tasks if task.kind == "task"}
    outputs = dict(record.outputs.get("parameters", {}))
    for name, artifacts in record.outputs.get("artifacts", {}).items():
        made = [
            OutputArtifact(each["name"], each["schema_title"], each["uri"], each["digest"], each["metadata"])
            for each in artifacts
        ]
        outputs[name] = made[0] if len(made) == 1 else made
    seconds = (record.ended or record.created) - record.created
    return Result(record.id, record.state, record.error, Tasks(tasks), outputs, seconds, record)


def _task(task: TaskRecord) -> TaskResult:
    outputs: dict[str, Any] = dict(task.output_parameters)
    for name, records in task.outputs.items():
        made = [_artifact(record) for record in records]
        outputs[name] = made[0] if len(made) == 1 else made
    return TaskResult(
        path=task.path,
        state=task.state,
        error=task.error,
        outputs=outputs,
        seconds=(task.ended or 0.0) - (task.started or task.ended or 0.0),
        cached_from=task.cached_from,
        why_missed=task.why_missed,
        log_path=Path(task.log) if task.log else None,
    )


def _artifact(record: ArtifactRecord) -> OutputArtifact:
    return OutputArtifact(record.name, record.type, record.uri, record.digest, record.metadata)

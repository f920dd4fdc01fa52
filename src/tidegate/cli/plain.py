"""Records as plain data with stable names: what `--output json` and `yaml` print."""

from __future__ import annotations

from typing import Any

from tidegate.cli import words
from tidegate.store.records import ArtifactRecord, CacheEntry, LineageStep, RunRecord, TaskRecord


def run(record: RunRecord) -> dict[str, Any]:
    """A run without its tasks, as in listings."""
    return {
        "run_id": record.id,
        "pipeline": record.pipeline,
        "state": record.state,
        "created": words.iso(record.created),
        "ended": words.iso(record.ended),
        "seconds": lasted(record.created, record.ended),
        "user": record.user,
        "engine": record.engine,
        "parameters": dict(record.parameters),
        "code": record.code,
        "error": record.error,
        "parent": record.parent,
    }


def whole_run(record: RunRecord) -> dict[str, Any]:
    """A run with its outputs and tasks: what `run` and `show` print."""
    return {
        **run(record),
        "command": record.command,
        "folder": record.folder,
        "outputs": outputs(record),
        "tasks": {task_record.path: task(task_record) for task_record in record.tasks},
    }


def task(record: TaskRecord) -> dict[str, Any]:
    return {
        "state": record.state,
        "component": record.component,
        "kind": record.kind,
        "cache_hit": bool(record.cached_from),
        "cached_from": record.cached_from,
        "why_missed": record.why_missed,
        "seconds": lasted(record.started, record.ended),
        "started": words.iso(record.started),
        "ended": words.iso(record.ended),
        "attempt": record.attempt,
        "cpu_seconds": record.cpu_seconds,
        "peak_memory": record.peak_memory,
        "error": record.error,
        "parameters": dict(record.parameters),
        "inputs": {name: several(found) for name, found in record.inputs.items()},
        "outputs": {**record.output_parameters, **{name: several(found) for name, found in record.outputs.items()}},
        "log": record.log,
    }


def several(found: tuple[ArtifactRecord, ...]) -> Any:
    """One artifact as itself, several as a list."""
    return artifact(found[0]) if len(found) == 1 else [artifact(one) for one in found]


def artifact(record: ArtifactRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "type": record.type,
        "uri": record.uri,
        "digest": record.digest,
        "size": record.size,
        "metadata": dict(record.metadata),
        "run_id": record.run,
        "task": record.task,
        "created": words.iso(record.created),
    }


def step(record: LineageStep) -> dict[str, Any]:
    return {
        "artifact": artifact(record.artifact),
        "depth": record.depth,
        "leads_to": record.neighbour,
        "run_id": record.run,
        "task": record.task,
        "as": record.name,
    }


def cache_entry(record: CacheEntry) -> dict[str, Any]:
    return {
        "key": record.key,
        "pipeline": record.pipeline,
        "component": record.component,
        "run_id": record.run,
        "task": record.task,
        "parts": dict(record.parts),
        "created": words.iso(record.created),
        "used": words.iso(record.used),
    }


def lasted(start: float | None, end: float | None) -> float | None:
    """Seconds, to the millisecond; None where either time is not known."""
    return round(end - start, 3) if start is not None and end is not None else None


def outputs(record: RunRecord) -> dict[str, Any]:
    """The pipeline's outputs by name: a parameter's value; an artifact as its place, type, digest and metadata."""
    found = dict(record.outputs.get("parameters", {}))
    for name, artifacts in record.outputs.get("artifacts", {}).items():
        told = [
            {
                "name": one["name"],
                "type": one["schema_title"],
                "uri": one["uri"],
                "digest": one["digest"],
                "metadata": one["metadata"],
            }
            for one in artifacts
        ]
        found[name] = told[0] if len(told) == 1 else told
    return found

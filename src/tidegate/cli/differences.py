"""What two runs differ in: parameters, tasks, data, metrics, code. Reads the small summaries beside the artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.cli import summaries
from tidegate.cli.sources import sources
from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord

ABSENT = object()
"""Where one run has no such value."""


@dataclass(frozen=True, slots=True)
class Change:
    name: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class TaskChange:
    path: str
    left: TaskRecord | None
    right: TaskRecord | None
    contents: tuple[str, ...]
    """The outputs whose content (or metadata) differs."""


@dataclass(frozen=True, slots=True)
class DataChange:
    """One feature (or, without a feature, the number of rows) of one split of one task's statistics."""

    task: str
    split: str
    feature: str
    what: str
    left: Any
    right: Any
    distance: float
    """How much it differs, to order by: in standard deviations, or as a fraction."""


@dataclass(frozen=True, slots=True)
class MetricChange:
    name: str
    left: summaries.Metric | None
    right: summaries.Metric | None


@dataclass(frozen=True, slots=True)
class FileChange:
    name: str
    diff: tuple[str, ...]
    """Lines of a unified diff, without its header."""


@dataclass(frozen=True, slots=True)
class Differences:
    left: RunRecord
    right: RunRecord
    parameters: tuple[Change, ...]
    tasks: tuple[TaskChange, ...]
    data: tuple[DataChange, ...]
    metrics: tuple[MetricChange, ...]
    results: tuple[Change, ...]
    """Output parameters of tasks."""
    code: tuple[FileChange, ...]


def differences(left: RunRecord, right: RunRecord) -> Differences:
    """What differs; nothing that is equal in both."""
    before, after = {t.path: t for t in left.tasks}, {t.path: t for t in right.tasks}
    return Differences(
        left=left,
        right=right,
        parameters=tuple(changes(left.parameters, right.parameters)),
        tasks=tuple(_tasks(before, after)),
        data=tuple(sorted(_data(before, after), key=lambda change: -change.distance)),
        metrics=tuple(_metrics(left, right)),
        results=tuple(changes(_results(left), _results(right))),
        code=tuple(_code(left, right)),
    )


def changes(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Change]:
    for name in {**left, **right}:
        before, after = left.get(name, ABSENT), right.get(name, ABSENT)
        if before is ABSENT or after is ABSENT or before != after:
            yield Change(name, before, after)


def _tasks(left: Mapping[str, TaskRecord], right: Mapping[str, TaskRecord]) -> Iterator[TaskChange]:
    for path in {**left, **right}:
        before, after = left.get(path), right.get(path)
        contents = _contents(before, after) if before and after else ()
        ends = ("succeeded", "cached")
        same = before and after and (before.state == after.state or {before.state, after.state} <= set(ends))
        if not same or contents:
            yield TaskChange(path, before, after, contents)


def _contents(left: TaskRecord, right: TaskRecord) -> tuple[str, ...]:
    def holds(task: TaskRecord, name: str) -> list[Any]:
        return [(one.digest, dict(one.metadata)) for one in task.outputs.get(name, ())]

    return tuple(name for name in {**left.outputs, **right.outputs} if holds(left, name) != holds(right, name))


def _results(run: RunRecord) -> dict[str, Any]:
    return {f"{task.path}.{name}": value for task in run.tasks for name, value in task.output_parameters.items()}


def _artifacts(task: TaskRecord | None, type: str) -> dict[str, ArtifactRecord]:
    if task is None:
        return {}
    return {name: one for name, found in task.outputs.items() for one in found[:1] if summaries.is_a(one, type)}


def _data(left: Mapping[str, TaskRecord], right: Mapping[str, TaskRecord]) -> Iterator[DataChange]:
    for path in left.keys() & right.keys():
        before = _artifacts(left[path], summaries.STATISTICS)
        after = _artifacts(right[path], summaries.STATISTICS)
        for name in before.keys() & after.keys():
            if before[name].digest and before[name].digest == after[name].digest:
                continue
            old, new = summaries.statistics(before[name].uri), summaries.statistics(after[name].uri)
            for split in sorted(old.keys() & new.keys()):
                yield from _split(path, split, old[split], new[split])


def _split(task: str, split: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[DataChange]:
    before, after = left.get("rows", 0), right.get("rows", 0)
    if before != after:
        yield DataChange(task, split, "", "rows", before, after, float("inf"))
    old = {feature["name"]: feature for feature in left.get("features", [])}
    new = {feature["name"]: feature for feature in right.get("features", [])}
    for name in {**old, **new}:
        if name not in new or name not in old:
            yield DataChange(task, split, name, "feature", name in old, name in new, float("inf"))
        elif change := _feature(old[name], new[name]):
            yield DataChange(task, split, name, *change)


def _feature(left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[str, Any, Any, float] | None:
    """The quantity of a feature that differs most; None where nothing does."""
    found: list[tuple[str, Any, Any, float]] = []
    spread = max(abs(left.get("std") or 0), abs(right.get("std") or 0)) or 1.0
    for what, unit in (("mean", spread), ("median", spread), ("presence", 1.0)):
        before, after = left.get(what), right.get(what)
        if isinstance(before, int | float) and isinstance(after, int | float) and before != after:
            found.append((what, before, after, abs(after - before) / unit))
    for value, (before, after) in _shares(left, right).items():
        if before != after:
            found.append((f"share of {value!r}", before, after, abs(after - before)))
    return max(found, key=lambda change: change[3], default=None)


def _shares(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Of the most frequent values: their fractions in both."""

    def fractions(feature: Mapping[str, Any]) -> dict[str, float]:
        top = feature.get("top") or []
        total = sum(entry["count"] for entry in top) or 1
        return {str(entry["value"]): entry["count"] / total for entry in top}

    before, after = fractions(left), fractions(right)
    if not before or not after:
        return {}
    return {value: (before.get(value, 0.0), after.get(value, 0.0)) for value in {**before, **after}}


def _metrics(left: RunRecord, right: RunRecord) -> Iterator[MetricChange]:
    before, after = summaries.metrics(left), summaries.metrics(right)
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield MetricChange(name, before.get(name), after.get(name))


def _code(left: RunRecord, right: RunRecord) -> Iterator[FileChange]:
    from difflib import unified_diff

    before, after = sources(left), sources(right)
    for name in sorted({**before, **after}):
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        if old != new:
            yield FileChange(name, tuple(list(unified_diff(old, new, lineterm="", n=2))[2:]))

"""The small JSON files that components leave beside their artifacts; one that is missing is no error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord

STATISTICS = "ExampleStatistics"
EVALUATION = "ModelEvaluation"
METRICS = "Metrics"


@dataclass(frozen=True, slots=True)
class Metric:
    value: float | None
    low: float | None = None
    """Of its confidence interval; None where there is none."""
    high: float | None = None


def is_a(artifact: ArtifactRecord, type: str) -> bool:
    """Whether it has this type, in TFX's namespace, KFP's or another."""
    return artifact.type.rpartition(".")[2] == type


def statistics(uri: str) -> dict[str, dict[str, Any]]:
    """Split -> its summary."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(Path(uri).glob("Split-*/summary.json")):
        if content := _read(path):
            found[path.parent.name.removeprefix("Split-")] = content
    return found


def metrics(run: RunRecord) -> dict[str, Metric]:
    """The candidate's metrics of a run: `name` or `name [slice]`, with the task where several tasks have it."""
    said = list(_said(run))
    tasks = {name: {task for task, other, _ in said if other == name} for _, name, _ in said}
    return {name if len(tasks[name]) == 1 else f"{task}: {name}": metric for task, name, metric in said}


def _said(run: RunRecord) -> Iterator[tuple[str, str, Metric]]:
    for task in run.tasks:
        evaluated = list(_evaluation(task))
        names = {name for name, _ in evaluated}
        for name, metric in evaluated:
            yield task.path, name, metric
        for found in task.outputs.values():
            for artifact in found:
                if not is_a(artifact, METRICS):
                    continue
                for name, value in artifact.metadata.items():
                    if isinstance(value, int | float) and not isinstance(value, bool) and name not in names:
                        yield task.path, name, Metric(float(value))


def _evaluation(task: TaskRecord) -> Iterator[tuple[str, Metric]]:
    for found in task.outputs.values():
        for artifact in found:
            if not is_a(artifact, EVALUATION):
                continue
            for entry in _read(Path(artifact.uri) / "summary.json").get("metrics", []):
                if entry.get("model", "candidate") == "candidate":
                    part = entry.get("slice", "overall")
                    name = entry["name"] if part == "overall" else f"{entry['name']} [{part}]"
                    yield name, Metric(entry.get("value"), entry.get("low"), entry.get("high"))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

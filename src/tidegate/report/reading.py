"""What a run left behind, as far as it can be read: a report of a failed or foreign run is still a report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord

MAX_BYTES = 8 * 2**20
"""A summary above this is not one of ours."""


@dataclass(frozen=True, slots=True)
class Found:
    """An artifact with the task that made it."""

    task: TaskRecord
    artifact: ArtifactRecord

    @property
    def path(self) -> Path:
        return Path(self.artifact.uri.removeprefix("file://"))

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in that file of the artifact; empty where there is none that can be read."""
        return read_json(self.path / name)


def outputs(run: RunRecord, *types: str) -> Iterator[Found]:
    """The run's output artifacts whose type ends in one of `types` (`Model` of `system.Model`), in task order."""
    for task in run.tasks:
        for name in sorted(task.outputs):
            for artifact in task.outputs[name]:
                if artifact.type.rpartition(".")[2] in types:
                    yield Found(task, artifact)


def read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def items(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The list of objects under that name; what is no object is left out."""
    found = value.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def number(value: Any) -> float | None:
    """The value if it is a number, else None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def tail(path: str, lines: int = 30) -> str:
    """The end of a log."""
    try:
        with Path(path).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 64 * 1024))
            text = file.read().decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
    return "\n".join(text.splitlines()[-lines:])

"""Our own engine, as the suite drives it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.case import FILES, Case, Made, Outcome
from tidegate import run
from tidegate.local.results import OutputArtifact, TaskResult


@dataclass(frozen=True)
class Local:
    """Runs cases on one store in `folder`, with workers that all of them share."""

    folder: Path

    def run(self, case: Case) -> Outcome:
        name = "".join(letter if letter.isalnum() else "-" for letter in case.name)
        files = self.folder / "files" / name
        files.mkdir(parents=True, exist_ok=True)
        for path, text in case.files.items():
            (files / path).parent.mkdir(parents=True, exist_ok=True)
            (files / path).write_text(text)
        for path, text in case.image.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        secrets = files.with_suffix(".secrets.json")
        secrets.write_text(json.dumps({**case.secrets, **case.config_maps}))
        compiled = self.folder / f"{name}.yaml"
        compiled.write_text(case.ir)
        result = run(
            compiled,
            {key: placed(value, str(files)) for key, value in case.parameters.items()},
            store=self.folder / "store",
            settings_from=self.folder,
            secrets=secrets if case.secrets or case.config_maps else "",
            check=False,
            progress=False,
        )
        ends = {task.path: task for task in result.record.tasks if task.kind == "task" or task.state == "skipped"}
        for task in result.record.tasks:  # a group that failed by itself
            if task.state == "failed" and not any(path.startswith(f"{task.path}/") for path in ends):
                ends[task.path] = task
        return Outcome(
            result.state,
            {name: made(value) for name, value in result.outputs.items()},
            {path: task.state for path, task in ends.items()},
            {path: task.error for path, task in ends.items() if task.state == "failed"},
            {path: parameters(task) for path, task in result.tasks.items() if task.state in ("succeeded", "cached")},
        )


def placed(value: Any, files: str) -> Any:
    """A parameter's value, with the folder of the case's files filled in."""
    return value.replace(FILES, files) if isinstance(value, str) else value


def parameters(task: TaskResult) -> Mapping[str, Any]:
    return {name: value for name, value in task.outputs.items() if not _is_artifact(value)}


def made(value: Any) -> Any:
    """An output as the suite compares it."""
    if isinstance(value, OutputArtifact):
        return Made(content(value.path) if "://" not in value.uri else None, value.type, dict(value.metadata))
    return tuple(made(each) for each in value) if _is_artifact(value) else value


def content(path: Path) -> str | dict[str, str] | None:
    """The text of a file; of all files in a folder."""
    if path.is_dir():
        return {str(each.relative_to(path)): each.read_text() for each in sorted(path.rglob("*")) if each.is_file()}
    return path.read_text() if path.is_file() else None


def _is_artifact(value: Any) -> bool:
    return isinstance(value, OutputArtifact) or (
        isinstance(value, list) and bool(value) and all(isinstance(each, OutputArtifact) for each in value)
    )

"""What a step was given: Argo's files and variables -> work that is ready to run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.argo import wire
from tidegate.argo.step import places, workflow
from tidegate.graph import placeholders, tasks
from tidegate.graph.model import Component, Task
from tidegate.graph.tasks import UnresolvedError
from tidegate.graph.values import final_status, pick
from tidegate.graph.work import Artifact, Work
from tidegate.spec.values import ValueMismatchError
from tidegate.store.digests import UnsafeContent, read

_ATTEMPT = re.compile(r"\([0-9]+\)$")


def names_of(environment: Mapping[str, str]) -> dict[str, str]:
    """KFP's run-time names."""
    run, uid = environment["TIDEGATE_RUN"], environment["TIDEGATE_RUN_UID"]
    created = environment["TIDEGATE_RUN_CREATED"]
    return {
        "pipeline_job_name": run,
        "pipeline_job_uuid": uid,
        "pipeline_job_resource_name": run,
        "pipeline_task_uuid": environment.get("ARGO_NODE_ID", uid),
        "pipeline_root": environment["TIDEGATE_KEY"].split("/", 1)[0],
        "pipeline_job_create_time_utc": created,
        "pipeline_job_schedule_time_utc": created,
        "pipeline_task_name": _ATTEMPT.sub("", environment["TIDEGATE_NODE"].rsplit(".", 1)[-1]),
        "workspace_path": environment.get("TIDEGATE_WORKSPACE", ""),
    }


def lines(text: str) -> dict[str, str]:
    """Name -> text, of the file of input parameters."""
    return dict(line.split(" ", 1) for line in text.split("\n") if " " in line)


def work_of(component: Component, given: Mapping[str, str], names: Mapping[str, str]) -> Work:
    """The step's work. Input artifacts are where Argo put them, and are what they were when they were made.

    Raises: tasks.UnresolvedError, placeholders.PlaceholderError.
    """
    parameters: dict[str, Any] = {}
    for name, declared in component.parameters.items():
        value = _value(name, given.get(name, ""), names)
        if not isinstance(value, wire.Missing):
            parameters[name] = tasks.fitted(name, value, declared)
        elif not declared.optional and declared.type != "TASK_CONFIG":
            raise _missing(name, value)
    parameters |= tasks.defaults(component, parameters)
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, wanted in component.artifacts.items():
        found = wire.artifacts(given.get(name, ""))
        if found is not None:
            artifacts[name] = tuple(_artifact(name, place, each) for place, each in enumerate(found))
        elif not wanted.optional:
            said = wire.load(given.get(name, ""))
            raise _missing(name, said if isinstance(said, wire.Missing) else wire.Missing())
    task = Task(names["pipeline_task_name"], component)
    others = {name: _value(name, text, names) for name, text in given.items() if name not in {*parameters, *artifacts}}
    settings = {name: value for name, value in others.items() if not isinstance(value, wire.Missing)}
    return tasks.work(task.name, task, parameters, artifacts, names, settings)


def _value(name: str, text: str, names: Mapping[str, str]) -> Any:
    found = wire.load(text)
    if isinstance(found, wire.Filled):
        return placeholders.constant(found.constant, found.values, names)
    if isinstance(found, wire.Picked):
        if found.value is None:
            return wire.Missing()
        try:
            return pick(found.value, found.path)
        except ValueMismatchError as error:
            raise UnresolvedError(f"input {name!r}: {error}") from None
    if isinstance(found, wire.Status):
        why = workflow.failure(found.task) if found.state == "FAILED" else ""
        return final_status(found.state, found.task, why, names)
    return found


def _missing(name: str, value: wire.Missing) -> UnresolvedError:
    return UnresolvedError(f"input {name!r} has no value: {value.reason or 'the pipeline gave none'}")


def place_of(name: str, place: int) -> Path:
    """Where an input artifact is."""
    return Path(places.INPUTS, name, str(place))


def brought(component: Component, given: Mapping[str, str]) -> dict[Path, wire.Described]:
    """The input artifacts, by where they are."""
    found = {}
    for name in component.artifacts:
        for place, each in enumerate(wire.artifacts(given.get(name, "")) or ()):
            found[place_of(name, place)] = each
    return found


def _restore(path: Path, found: wire.Described) -> None:
    """What object stores cannot hold."""
    for folder in found.folders:
        (path / folder).mkdir(parents=True, exist_ok=True)
    for link, target in found.links.items():
        where = path / link
        if not where.is_symlink():
            where.parent.mkdir(parents=True, exist_ok=True)
            where.symlink_to(os.path.relpath(path / target, where.parent))


def _artifact(name: str, place: int, found: wire.Described) -> Artifact:
    artifact = found.artifact
    if artifact.uri and not found.key:
        return artifact  # elsewhere; who needs it reads it there
    path = place_of(name, place)
    try:
        _restore(path, found)
        if found.key and not path.exists():
            raise UnresolvedError(
                f"input {name!r}: {found.key} was not brought: it is gone from the artifact repository, or the list "
                "has more artifacts than the step has places for (raise `lists` in [tool.tidegate.argo])"
            )
        digest = read(path).digest
    except (OSError, UnsafeContent) as error:
        raise UnresolvedError(f"input {name!r}: {error}") from None
    if digest != artifact.digest:
        raise UnresolvedError(
            f"input {name!r}: the content of {found.key or path} is not what was made: expected {artifact.digest}, "
            f"found {digest}"
        )
    return replace(artifact, uri=str(path))

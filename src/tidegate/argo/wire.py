"""How values and artifacts travel between the steps of a workflow: as JSON that Argo has nothing to replace in.

Runs in pods as well: the standard library only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.graph.keys import identity
from tidegate.graph.work import Artifact

JSON_ARGUMENT = "json:"
"""What a workflow's argument begins with whose rest is JSON."""
MISSING = "!"
"""What stands before the reason why there is no value; no JSON begins with it."""
FILLED, PICKED, STATUS = "~fill ", "~pick ", "~status "
"""Before what the step itself has to work out: `[constant, {input: value}]`, `[path, value]`, `task phase run`."""
_FLOAT = "\u0000float"  # the key under which NaN and the infinities go, which JSON has not


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no value, and why."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """A constant that quotes other inputs, with their values."""

    constant: Any
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Picked:
    """Something inside of a value."""

    path: tuple[str | int, ...]
    value: Any


@dataclass(frozen=True, slots=True)
class Status:
    """How another task of the same DAG ended."""

    task: str
    phase: str
    """Argo's: Succeeded, Failed, Error, Skipped or Omitted."""

    @property
    def state(self) -> str:
        """KFP's."""
        return {"Succeeded": "SUCCEEDED", "Failed": "FAILED", "Error": "FAILED"}.get(self.phase, "SKIPPED")


@dataclass(frozen=True, slots=True)
class Described:
    """An artifact and where it lies."""

    artifact: Artifact
    """Its `uri` is empty where `key` says where it is."""
    key: str = ""
    """In the artifact repository; empty where it holds nothing, or is elsewhere."""
    folders: tuple[str, ...] = ()
    """Empty folders in it, which object stores cannot hold."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Links in it -> where they lead, inside of it."""


def dump(value: Any) -> str:
    """JSON in ASCII, without line breaks, `{{` and `$`; keys sorted, since a Struct of the IR keeps no order."""
    try:
        text = json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), separators=(",", ":"), sort_keys=True)
    return escaped(text)


def escaped(text: str) -> str:
    """JSON text without what others read as theirs: Argo's `{{`, Kubernetes' `$` (it fills in what Argo's containers
    get by environment variables). In JSON both stand in strings only."""
    return text.replace("{{", "{\\u007b").replace("$", "\\u0024")


def load(text: str) -> Any:
    """The value that a parameter's text stands for: JSON, or one of the above; nothing and `null` are Missing.

    Raises: ValueError.
    """
    if not text or text == "null":
        return Missing()
    if text.startswith(MISSING):
        return Missing(text.removeprefix(MISSING))
    if text.startswith(FILLED):
        constant, values = _parsed(text.removeprefix(FILLED))
        return Filled(constant, values)
    if text.startswith(PICKED):
        path, value = _parsed(text.removeprefix(PICKED))
        return Picked(tuple(path), value)
    if text.startswith(STATUS):
        return Status(*text.removeprefix(STATUS).split(" ")[:2])
    return _parsed(text)


def argument(value: Any, type_name: str) -> str:
    """A value as a workflow's argument: as a person would type it, or as JSON where that would not do."""
    if value is None:
        return f"{JSON_ARGUMENT}null"
    if type_name != "STRING":
        return dump(value)
    plain = isinstance(value, str) and value.isprintable() and "{{" not in value and not value.startswith(JSON_ARGUMENT)
    return value if plain else f"{JSON_ARGUMENT}{dump(value)}"


def artifacts(text: str) -> tuple[Described, ...] | None:
    """The artifacts that a parameter's text describes; None where there are none to be had. Raises: ValueError."""
    said = load(text)
    if isinstance(said, Missing):
        return None
    return tuple(_described(each) for each in said)


def describe(found: Described) -> dict[str, Any]:
    """An artifact as `artifacts` reads it."""
    artifact = found.artifact
    return {
        "name": artifact.name,
        "key": found.key,
        "uri": artifact.uri,
        "digest": artifact.digest,
        "identity": identity(artifact),
        "schema_title": artifact.schema_title,
        "schema_version": artifact.schema_version,
        "instance_schema": artifact.instance_schema,
        "metadata": dict(artifact.metadata),
        "custom_path": artifact.custom_path,
        "extras": ({"folders": list(found.folders)} if found.folders else {})
        | ({"links": dict(found.links)} if found.links else {}),
    }


def _described(said: Mapping[str, Any]) -> Described:
    artifact = Artifact(
        name=said["name"],
        uri=said["uri"],
        schema_title=said["schema_title"],
        schema_version=said["schema_version"],
        instance_schema=said["instance_schema"],
        metadata=said["metadata"],
        digest=said["digest"],
        custom_path=said["custom_path"],
    )
    extras = said.get("extras", {})
    return Described(artifact, said["key"], tuple(extras.get("folders", ())), extras.get("links", {}))


def _parsed(text: str) -> Any:
    return json.loads(text, object_hook=_hooked)


def _hooked(said: dict[str, Any]) -> Any:
    return float(said[_FLOAT]) if _FLOAT in said else said


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)}
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value

"""Events as JSON and back: what the store keeps of a run is enough to replay it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from tidegate.graph.work import Artifact, Outputs
from tidegate.local.events import CancelRequested, Event, Resumed, RetryDue, RunStarted, TaskFailed, TaskSucceeded

_EVENTS = {kind.__name__: kind for kind in (RunStarted, TaskSucceeded, TaskFailed, RetryDue, CancelRequested, Resumed)}


def encode(event: Event) -> str:
    """One line of JSON."""
    said = {"event": type(event).__name__} | {each.name: getattr(event, each.name) for each in fields(event)}
    if isinstance(event, TaskSucceeded):
        said["outputs"] = encode_outputs(event.outputs)
    return json.dumps(said, separators=(",", ":"))  # ASCII: a lone surrogate in an output is no text for the store


def decode(text: str) -> Event:
    """What `encode` wrote. Raises: ValueError."""
    said = json.loads(text)
    kind = _EVENTS.get(said.pop("event", ""))
    if kind is None:
        raise ValueError(f"not an event: {text[:80]}")
    if kind is TaskSucceeded:
        said["outputs"] = decode_outputs(said["outputs"])
    known = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in said.items() if name in known})


def encode_outputs(outputs: Outputs) -> dict[str, Any]:
    """Outputs as JSON values."""
    artifacts = {name: [asdict(each) for each in found] for name, found in outputs.artifacts.items()}
    return {"parameters": dict(outputs.parameters), "artifacts": artifacts}


def decode_outputs(said: Mapping[str, Any]) -> Outputs:
    """What `encode_outputs` gave."""
    artifacts = {name: tuple(Artifact(**each) for each in found) for name, found in said["artifacts"].items()}
    return Outputs(said["parameters"], artifacts)

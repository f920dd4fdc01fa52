"""What the IR does with values on their way from task to task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.spec import json_text
from tidegate.spec.values import ValueMismatchError, shown


def pick(value: Any, path: Sequence[str | int]) -> Any:
    """What `parseJson(string_value)["a"][0]` picks from a value, or from the JSON in it.

    Raises: ValueMismatchError.
    """
    if isinstance(value, str):
        try:
            value = json_text.parse(value)
        except ValueError:
            raise ValueMismatchError(f"expected JSON with {path[0]!r} in it, found {shown(value)}") from None
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise ValueMismatchError(f"{shown(value)} has no {step!r}") from None
    return value


def items_of(value: Any) -> list[Any]:
    """What a loop iterates over: a list, or a list as JSON text. Raises: ValueMismatchError."""
    found = value
    if isinstance(value, str):
        try:
            found = json_text.parse(value)
        except ValueError:
            found = None
    if not isinstance(found, list):
        raise ValueMismatchError(f"a loop needs a list, and got {shown(value)}")
    return found


def final_status(state: str, task: str, error: str, names: Mapping[str, str]) -> dict[str, Any]:
    """KFP's PipelineTaskFinalStatus as its executor reads it. `state`: SUCCEEDED, FAILED, CANCELLED or SKIPPED."""
    code = {"FAILED": 9, "CANCELLED": 1}.get(state, 0)  # google.rpc.Code, as Vertex has it
    return {
        "state": state,
        "pipelineJobResourceName": names.get("pipeline_job_resource_name", ""),
        "pipelineTaskName": task,
        "error": {"code": code, "message": error} if code else {},
    }

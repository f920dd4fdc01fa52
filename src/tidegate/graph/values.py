"""What the IR's types mean for values: how a value becomes an input of a declared type, and how one is picked apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.spec import json_text
from tidegate.spec.parameters import convert
from tidegate.spec.pipeline import typed

_NUMBERS = ("NUMBER_INTEGER", "NUMBER_DOUBLE")


class ValueMismatchError(ValueError):
    """A value that cannot be what is declared."""


def text_of(value: Any) -> str:
    """A value as text: what KFP puts in place of a placeholder, and into inputs declared as strings."""
    return value if isinstance(value, str) else json.dumps(value)


def fit(value: Any, type_name: str, literals: Sequence[Any] = ()) -> Any:
    """A resolved value as an input of the declared type has it.

    As KFP's driver does it: strings take any value, as text; other types take their own. Beyond it, text that reads
    as the declared type is taken as such (items of a bare `list` are declared as strings on their way to an `int`).
    `literals`: the only values allowed, where the component declares a Literal. Raises: ValueMismatchError.
    """
    fitted = _fit(value, type_name)
    if literals and fitted not in literals:
        allowed = ", ".join(json.dumps(each) for each in literals)
        raise ValueMismatchError(f"expected one of {allowed}, found {_shown(value)}")
    return fitted


def _fit(value: Any, type_name: str) -> Any:
    if type_name == "STRING":
        return text_of(value)
    if isinstance(value, str) and type_name in (*_NUMBERS, "BOOLEAN", "LIST", "STRUCT"):
        try:
            return convert(value, type_name)
        except ValueError:
            raise ValueMismatchError(f"expected {type_name}, found {_shown(value)}") from None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "NUMBER_INTEGER": number,
        "NUMBER_DOUBLE": number,
        "BOOLEAN": isinstance(value, bool),
        "LIST": isinstance(value, list),
        "STRUCT": isinstance(value, dict),
    }
    if not fits.get(type_name, True):
        raise ValueMismatchError(f"expected {type_name}, found {_shown(value)}")
    return typed(value, type_name)


def pick(value: Any, path: Sequence[str | int]) -> Any:
    """What `parseJson(string_value)["a"][0]` picks from a value, or from the JSON in it.

    Raises: ValueMismatchError.
    """
    if isinstance(value, str):
        try:
            value = json_text.parse(value)
        except ValueError:
            raise ValueMismatchError(f"expected JSON with {path[0]!r} in it, found {_shown(value)}") from None
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise ValueMismatchError(f"{_shown(value)} has no {step!r}") from None
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
        raise ValueMismatchError(f"a loop needs a list, and got {_shown(value)}")
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


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:80]

"""What a user gives a pipeline, checked and typed before anything starts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from tidegate.spec import json_text
from tidegate.spec.errors import Problem, SpecError
from tidegate.spec.pipeline import Pipeline, parameter_type, plain, typed

_WORDS = {
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "STRING": "text",
    "BOOLEAN": "true or false",
    "LIST": "a JSON list",
    "STRUCT": "a JSON object",
    "TASK_FINAL_STATUS": "a task's final status",
}


def check_parameters(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all parameters of the pipeline: given ones typed, defaults filled in, optional ones left out.

    Text is read as the declared type says (`-p n=3`, `-p names='["a"]'`).
    Raises: SpecError naming each unknown, missing or mistyped parameter.
    """
    declared = pipeline.spec.root.input_definitions.parameters
    problems = [
        Problem(
            name, "an artifact: a pipeline that runs by itself cannot be given one; import it inside (dsl.importer)"
        )
        for name, artifact in sorted(pipeline.spec.root.input_definitions.artifacts.items())
        if name in given or not artifact.is_optional
    ]
    values: dict[str, Any] = {}
    for name in given:
        if name not in declared and name not in pipeline.spec.root.input_definitions.artifacts:
            near = get_close_matches(name, declared, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(sorted(declared)) or 'none'}"
            problems.append(Problem(name, f"pipeline {pipeline.name!r} has no such parameter; {hint}"))
    for name in sorted(declared):
        definition = declared[name]
        type_name = parameter_type(definition)
        optional = definition.is_optional or definition.HasField("default_value")
        if given.get(name) is not None or (name in given and not optional):
            try:
                values[name] = convert(given[name], type_name)
            except (ValueError, TypeError, OverflowError):
                problems.append(
                    Problem(name, f"expected {_WORDS.get(type_name, type_name)}, found {_shown(given[name])}")
                )
                continue
            literals = [typed(plain(each), type_name) for each in definition.literals]
            if literals and values[name] not in literals:
                allowed = ", ".join(json.dumps(each) for each in literals)
                problems.append(Problem(name, f"expected one of {allowed}, found {_shown(given[name])}"))
        elif definition.HasField("default_value"):
            values[name] = typed(plain(definition.default_value), type_name)
        elif not definition.is_optional:
            wanted = _WORDS.get(type_name, type_name)
            problems.append(Problem(name, f"missing: give {wanted} with `-p {name}=...`"))
    if problems:
        raise SpecError(problems)
    return values


def convert(value: Any, type_name: str) -> Any:
    """`value` as the declared type. Raises: ValueError where it is not one."""
    text = isinstance(value, str)
    match type_name:
        case "STRING":
            if not text:
                raise ValueError
            return value
        case "NUMBER_INTEGER":
            if isinstance(value, bool):
                raise ValueError
            number = (int(value) if _is_integer(value) else float(value)) if text else value
            if (
                not isinstance(number, int | float)
                or int(number) != number
                or (isinstance(number, float) and abs(number) >= 2**53)
            ):
                raise ValueError
            return int(number)
        case "NUMBER_DOUBLE":
            if isinstance(value, bool):
                raise ValueError
            if not math.isfinite(number := float(value)):
                raise ValueError
            return number
        case "BOOLEAN":
            if text and value.lower() in ("true", "false"):
                return value.lower() == "true"
            if not isinstance(value, bool):
                raise ValueError
            return value
        case "LIST" | "STRUCT":
            decoded = json_text.parse(value) if text else value
            if not isinstance(decoded, list if type_name == "LIST" else dict):
                raise ValueError
            return typed(decoded, type_name)
    return value


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:80]


def _is_integer(text: str) -> bool:
    return text.strip().lstrip("+-").isdigit()

"""What a user gives a pipeline, checked and typed before anything starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from tidegate.spec.errors import Problem, SpecError
from tidegate.spec.pipeline import Pipeline, parameter_type
from tidegate.spec.values import convert, plain, shown, typed

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
                    Problem(name, f"expected {_WORDS.get(type_name, type_name)}, found {shown(given[name])}")
                )
                continue
            literals = [typed(plain(each), type_name) for each in definition.literals]
            if literals and values[name] not in literals:
                allowed = ", ".join(json.dumps(each) for each in literals)
                problems.append(Problem(name, f"expected one of {allowed}, found {shown(given[name])}"))
        elif definition.HasField("default_value"):
            values[name] = typed(plain(definition.default_value), type_name)
        elif not definition.is_optional:
            wanted = _WORDS.get(type_name, type_name)
            problems.append(Problem(name, f"missing: give {wanted} with `-p {name}=...`"))
    if problems:
        raise SpecError(problems)
    return values

"""KFP's placeholders in texts that Argo itself has to fill in: as expressions over a template's inputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tidegate.argo import expressions
from tidegate.argo.expressions import Inexpressible

_PLACEHOLDER = re.compile(r"\{\{\$([^{}]*)\}\}")
_INPUT = re.compile(r"""\.inputs\.parameters\[(''|'|\\?")(?P<name>.*?)\1\]""")
WORKSPACE = ".workspace_path"
_NAMES = {
    ".pipeline_job_name": "workflow.name",
    ".pipeline_job_resource_name": "workflow.name",
    ".pipeline_job_uuid": "workflow.uid",
    ".pipeline_task_uuid": "workflow.uid",
}


def quoted(value: Any) -> tuple[set[str], bool]:
    """The inputs that a constant quotes, and whether it quotes the run's own names."""
    inputs: set[str] = set()
    names = False
    if isinstance(value, str):
        for match in _PLACEHOLDER.finditer(value):
            found = _INPUT.fullmatch(match[1])
            if found:
                inputs.add(found["name"])
            names = names or match[1].startswith((".pipeline_", WORKSPACE))
    elif isinstance(value, list | dict):
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            inner, named = quoted(each)
            inputs |= inner
            names = names or named
    return inputs, names


def parts(
    text: str, types: Mapping[str, str], text_of: Callable[[str], str] = expressions.input_of
) -> list[tuple[str, str, str]]:
    """A text in parts, as `expressions.filled` takes them.

    `types`: input -> type. `text_of`: input -> the expression for its text. Raises: Inexpressible.
    """
    found: list[tuple[str, str, str]] = []
    at = 0
    for match in _PLACEHOLDER.finditer(text):
        if match.start() > at:
            found.append((text[at : match.start()], "", ""))
        at = match.end()
        inside = match[1]
        if inside in _NAMES:
            found.append(("", f"toJson({_NAMES[inside]})", "STRING"))
        elif (named := _INPUT.fullmatch(inside)) and named["name"] in types:
            found.append(("", text_of(named["name"]), types[named["name"]]))
        else:
            raise Inexpressible(
                f"{match[0]} cannot be filled in before the step runs; give it to the step as a parameter"
            )
    if at < len(text):
        found.append((text[at:], "", ""))
    return found


def expression_of(text: str, types: Mapping[str, str]) -> str:
    """An expression for the string that the text becomes. Raises: Inexpressible."""
    pieces = [
        expressions.literal(said) if not given else expressions.shown(given, type_name)
        for said, given, type_name in parts(text, types)
    ]
    return "(" + " + ".join(pieces or ['""']) + ")"

"""KFP's placeholders in commands, arguments and constants: `{{$.inputs.parameters['x']}}`, Concat, IfPresent, ..."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.spec.values import text_of

_PLACEHOLDER = re.compile(r"\{\{\$([^{}]*)\}\}")
_STEP = re.compile(r"""\.(?P<name>[A-Za-z_]+)|\[(?P<quote>''|'|\\?")(?P<key>.*?)(?P=quote)\]|\[(?P<index>\d{1,9})\]""")
_ESCAPED = re.compile(r"\.json_escape\[(\d)\]")
_ROOTS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}


class PlaceholderError(ValueError):
    """A placeholder that leads nowhere."""


def path_of(uri: str) -> str:
    """Where a container finds an artifact: KFP's rule (object stores are mounted; anything else is a path)."""
    for scheme, root in _ROOTS.items():
        if uri.startswith(scheme):
            return root + uri.removeprefix(scheme)
    return uri.removeprefix("file://") if uri.startswith("file:///") else uri


def resolve(parts: Sequence[Any], executor_input: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, ...]:
    """Command or arguments with every placeholder filled in.

    executor_input: KFP's ExecutorInput as JSON. names: the values of KFP's run-time names (`pipeline_job_name`,
    `pipeline_job_uuid`, `pipeline_task_name`, ...).
    Raises: PlaceholderError.
    """
    out: list[str] = []
    for part in parts:
        for piece in _flat(_structure(part, executor_input)):
            out.append(substitute(piece, executor_input, names))
    return tuple(out)


def substitute(text: str, executor_input: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The text with its placeholders replaced, each once: a value is never read as a placeholder again.

    What only looks like one (`{{$.Values.x}}` in some source) stays as it is, as in KFP.
    Raises: PlaceholderError for an output or an artifact that the component does not have.
    """
    if "{{$" not in text:
        return text
    return _PLACEHOLDER.sub(lambda match: _value(match[0], match[1], executor_input, names), text)


def constant(value: Any, parameters: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """A constant of the IR that quotes other inputs (f-strings in the DSL), anywhere inside it."""
    if isinstance(value, str):
        return substitute(value, {"inputs": {"parameterValues": parameters}}, names) if "{{$" in value else value
    if isinstance(value, list):
        return [constant(item, parameters, names) for item in value]
    if isinstance(value, dict):
        return {constant(key, parameters, names): constant(item, parameters, names) for key, item in value.items()}
    return value


def quotes(value: Any) -> bool:
    """Whether a constant has placeholders in it."""
    if isinstance(value, str):
        return "{{$" in value
    if isinstance(value, list):
        return any(quotes(item) for item in value)
    if isinstance(value, dict):
        return any(quotes(key) or quotes(item) for key, item in value.items())
    return False


def _value(whole: str, inside: str, executor_input: Mapping[str, Any], names: Mapping[str, str]) -> str:
    if inside == "":
        return json.dumps(executor_input)
    if escaped := _ESCAPED.fullmatch(inside):
        text = json.dumps(executor_input)
        for _ in range(int(escaped[1])):
            text = json.dumps(text)[1:-1]
        return text
    steps = _steps(inside)
    match steps:
        case [str(name)] if name in names:
            return names[name]
        case ["inputs", "parameters", name, *rest]:
            value = executor_input.get("inputs", {}).get("parameterValues", {}).get(name)
            for step in rest:
                value = _get_item(value, step)
        case ["outputs", "parameters", name, "output_file"]:
            value = _get(executor_input, whole, "outputs", "parameters", name)["outputFile"]
        case ["inputs" | "outputs" as side, "artifacts", name, *rest]:
            value = _artifact(executor_input, whole, side, name, rest)
        case ["outputs", "output_file" | "output_metadata_uri"] | ["outputMetadataUri"]:
            value = _get(executor_input, whole, "outputs", "outputFile")
        case _:
            return whole
    return text_of(value)


def _get_item(value: Any, step: Any) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None


def _artifact(executor_input: Mapping[str, Any], whole: str, side: str, name: Any, rest: list[Any]) -> Any:
    found = executor_input.get(side, {}).get("artifacts", {}).get(name)
    if found is None and side == "inputs":  # an optional input that was not given
        return ""
    artifacts = _get(executor_input, whole, side, "artifacts", name)["artifacts"]
    first = artifacts[0] if artifacts else {}
    match rest:
        case [] | ["value"]:
            return artifacts
        case ["uri"]:
            return first.get("uri", "")
        case ["path"]:
            return first.get("customPath") or path_of(first.get("uri", ""))
        case ["name"]:
            return first.get("name", "")
        case ["metadata"]:
            return first.get("metadata", {})
        case ["metadata", key]:
            value = first.get("metadata", {}).get(key)
            return "" if value is None else value
    raise PlaceholderError(f"{whole}: expected uri, path, name or metadata after the artifact")


def _get(executor_input: Mapping[str, Any], whole: str, *keys: Any) -> Any:
    value: Any = executor_input
    for key in keys:
        if key not in value:
            raise PlaceholderError(f"{whole}: the component has no such {keys[0][:-1]}")
        value = value[key]
    return value


def _steps(inside: str) -> list[str | int]:
    """`.inputs.parameters['x']` -> ["inputs", "parameters", "x"]; empty where it is not such a path."""
    steps: list[str | int] = []
    at = 0
    while match := _STEP.match(inside, at):
        steps.append(int(match["index"]) if match["index"] else match["name"] or match["key"])
        at = match.end()
    return steps if at == len(inside) else []


def _structure(part: Any, executor_input: Mapping[str, Any]) -> Any:
    """Concat and IfPresent, which kfp writes as JSON in a string."""
    if isinstance(part, str) and part.startswith(('{"Concat":', '{"IfPresent":')):
        try:
            part = json.loads(part)
        except ValueError:
            return part
    if not isinstance(part, dict):
        return part
    if "Concat" in part:
        pieces = [_structure(piece, executor_input) for piece in _listed(part["Concat"])]
        return "".join(piece for group in pieces for piece in _flat(group))
    chosen = part.get("IfPresent")
    if not isinstance(chosen, dict):
        raise PlaceholderError(f"{json.dumps(part)[:80]}: expected Concat or IfPresent")
    branch = chosen.get("Then") if _present(chosen.get("InputName"), executor_input) else chosen.get("Else")
    if isinstance(branch, list):
        return [_structure(piece, executor_input) for piece in branch]
    return _structure(branch, executor_input)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PlaceholderError(f"Concat: expected a list, found {json.dumps(value)[:80]}")
    return value


def _present(name: Any, executor_input: Mapping[str, Any]) -> bool:
    inputs = executor_input.get("inputs", {})
    return inputs.get("parameterValues", {}).get(name) is not None or bool(inputs.get("artifacts", {}).get(name))


def _flat(piece: Any) -> list[str]:
    if piece is None:
        return []
    if isinstance(piece, list):
        return [text for inner in piece for text in _flat(inner)]
    return [str(piece)]

"""What goes into a task's process and what comes out: KFP's ExecutorInput and ExecutorOutput, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from tidegate.graph import placeholders
from tidegate.graph.work import Artifact, ArtifactType, Container, Outputs, Work
from tidegate.spec import json_text
from tidegate.spec.values import shown, typed

OUTPUT_FILE = "executor_output.json"


class OutputError(ValueError):
    """A task ended well, and what it left is not what its component declares."""


def executor_input(work: Work, folder: str) -> dict[str, Any]:
    """KFP's ExecutorInput.

    folder: where outputs go: artifacts at `<folder>/<name>`, parameters at `<folder>/.parameters/<name>`.
    """
    return {
        "inputs": {
            "parameterValues": dict(work.parameters),
            "artifacts": {
                name: {"artifacts": [_runtime_artifact(each) for each in found]}
                for name, found in work.artifacts.items()
            },
        },
        "outputs": {
            "parameters": {name: {"outputFile": f"{folder}/.parameters/{name}"} for name in work.output_parameters},
            "artifacts": {
                name: {
                    "artifacts": [
                        {"name": name, "type": _type(kind), "uri": f"{folder}/{name}", "metadata": {}},
                    ]
                }
                for name, kind in work.output_artifacts.items()
            },
            "outputFile": f"{folder}/{OUTPUT_FILE}",
        },
    }


def command_line(work: Work, given: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, ...]:
    """Command and arguments with all placeholders filled in.

    given: the ExecutorInput. names: see `placeholders.resolve`.
    Raises: placeholders.PlaceholderError.
    """
    assert isinstance(work.executor, Container)
    return placeholders.resolve((*work.executor.command, *work.executor.args), given, names)


def read_outputs(
    work: Work,
    given: Mapping[str, Any],
    executor_output: str | None,
    read: Callable[[str], str | None],
) -> Outputs:
    """What the task made.

    executor_output: the text of the ExecutorOutput file, None where the task wrote none (a plain container).
    read: the text of an output parameter's file, None where there is none.
    Raises: OutputError naming the output, what was expected and what was found.
    """
    said = _parse(executor_output)
    values, made = _object(said, "parameterValues"), _object(said, "artifacts")
    parameters: dict[str, Any] = {}
    for name, type_name in work.output_parameters.items():
        if name in values:  # goes before the file, as in KFP's launcher
            parameters[name] = _checked(name, values[name], type_name)
            continue
        text = read(given["outputs"]["parameters"][name]["outputFile"])
        if text is None:
            raise OutputError(f"output {name!r}: expected {type_name}, and the task wrote nothing: return or write it")
        parameters[name] = _from_text(name, text, type_name)
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, kind in work.output_artifacts.items():
        planned = given["outputs"]["artifacts"][name]["artifacts"]
        found = _object(made, name).get("artifacts", [] if kind.is_list else planned)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise OutputError(f"{OUTPUT_FILE}: artifacts of {name!r}: expected a list of objects, found {shown(found)}")
        artifacts[name] = tuple(_artifact(name, each, kind, planned[0]["uri"]) for each in found)
    return Outputs(parameters, artifacts)


def _parse(text: str | None) -> dict[str, Any]:
    if not text or not text.strip():
        return {}
    try:
        said = json_text.parse(text)
    except ValueError as error:
        raise OutputError(f"{OUTPUT_FILE} is not JSON: {error}") from None
    if not isinstance(said, dict):
        raise OutputError(f"{OUTPUT_FILE}: expected an object, found {type(said).__name__}")
    return said


def _object(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = said.get(key) or {}
    if not isinstance(found, dict):
        raise OutputError(f"{OUTPUT_FILE}: {key}: expected an object, found {shown(found)}")
    return found


def _from_text(name: str, text: str, type_name: str) -> Any:
    """As KFP's backend reads an output file: strings as they are, the rest as JSON (True and False as well)."""
    if type_name == "STRING":
        return text
    try:
        value = json_text.parse(text.lower() if type_name == "BOOLEAN" else text)
    except ValueError:
        raise OutputError(f"output {name!r}: expected {type_name}, found {text[:80]!r}") from None
    return _checked(name, value, type_name)


def _checked(name: str, value: Any, type_name: str) -> Any:
    value = typed(value, type_name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "NUMBER_INTEGER": number and isinstance(value, int),
        "NUMBER_DOUBLE": number,
        "BOOLEAN": isinstance(value, bool),
        "STRING": isinstance(value, str),
        "LIST": isinstance(value, list),
        "STRUCT": isinstance(value, dict),
    }
    if value is not None and not fits.get(type_name, True):
        raise OutputError(f"output {name!r}: expected {type_name}, found {json.dumps(value)[:80]}")
    return value


def _runtime_artifact(artifact: Artifact) -> dict[str, Any]:
    kind = ArtifactType(artifact.schema_title, artifact.schema_version, artifact.instance_schema)
    found = {
        "name": artifact.name,
        "type": _type(kind),
        "uri": artifact.uri,
        "metadata": dict(artifact.metadata),
    }
    return found | ({"customPath": artifact.custom_path} if artifact.custom_path else {})


def _type(kind: ArtifactType) -> dict[str, str]:
    if kind.instance_schema and kind.schema_title == "system.Artifact":
        return {"instanceSchema": kind.instance_schema}
    return {"schemaTitle": kind.schema_title, "schemaVersion": kind.schema_version}


def _artifact(name: str, said: Mapping[str, Any], kind: ArtifactType, planned: str) -> Artifact:
    """What the executor says of an artifact; it leaves out types, and may leave out the rest."""
    type_said = _object(said, "type")
    return Artifact(
        name=str(said.get("name") or name),
        uri=_normal(str(said.get("uri") or planned)),
        schema_title=str(type_said.get("schemaTitle") or kind.schema_title),
        schema_version=str(type_said.get("schemaVersion") or kind.schema_version),
        instance_schema=str(type_said.get("instanceSchema") or kind.instance_schema),
        metadata=dict(_object(said, "metadata")),
        custom_path=str(said.get("custom_path") or said.get("customPath") or ""),  # kfp's executor writes the first
    )


def _normal(uri: str) -> str:
    return uri if "://" in uri or not uri else str(PurePosixPath(uri))

"""A component as a file that steps read: what the graph knows of it, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from tidegate.graph.model import ArtifactInput, Component, Dag, Parameter
from tidegate.graph.work import ArtifactType, Container, Importer

FILE = "file"
"""`{"file": NAME}` in a command: the content of the file NAME beside the step's, a source that people want to read."""


def encode(component: Component, env: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The component, and the source in it that is to go into a file of its own, as `source_name` says; or nothing.

    `env`: the variables that only the step can fill in; all others are the container's own.
    """
    source = ""
    body = component.body
    said: dict[str, Any] = {"component": component.name}
    if isinstance(body, Importer):
        said["importer"] = asdict(body)
    elif isinstance(body, Container):
        said["image"] = body.image
        source = max((part for part in body.command if isinstance(part, str) and _is_source(part)), key=len, default="")
        said["command"] = [
            {FILE: source_name(component.name)} if source and part == source else part for part in body.command
        ]
        said["args"] = list(body.args)
        said |= {"env": dict(env)} if env else {}
        said |= {"memory": body.memory} if body.memory else {}
    if component.timeout:
        said["timeout"] = component.timeout
    if component.task_config is not None:
        said["task_config"] = dict(component.task_config)
    said["inputs"] = {
        "parameters": {name: _parameter(each) for name, each in component.parameters.items()},
        "artifacts": {name: _type(each.type, each.optional) for name, each in component.artifacts.items()},
    }
    said["outputs"] = {
        "parameters": dict(component.output_parameters),
        "artifacts": {name: _type(each) for name, each in component.output_artifacts.items()},
    }
    return said, source


def source_name(component: str) -> str:
    """What the source is called in the specification; who stores it may give it another name, in both places."""
    return f"{component}.py"


def decode(said: Mapping[str, Any], read: Callable[[str], str]) -> Component:
    """What `encode` wrote. `read`: the content of a file beside it."""
    body: Dag | Container | Importer
    if "importer" in said:
        body = Importer(**{**said["importer"], "type": ArtifactType(**said["importer"]["type"])})
    else:
        body = Container(
            said["image"],
            tuple(read(part[FILE]) if isinstance(part, dict) and FILE in part else part for part in said["command"]),
            tuple(said["args"]),
            env=said.get("env", {}),
            memory=said.get("memory", 0),
        )
    inputs, outputs = said["inputs"], said["outputs"]
    return Component(
        name=said["component"],
        body=body,
        parameters={
            name: Parameter(
                each["type"],
                each.get("default"),
                "default" in each,
                each.get("optional", False),
                tuple(each.get("literals", ())),
            )
            for name, each in inputs["parameters"].items()
        },
        artifacts={name: ArtifactInput(*_read(each)) for name, each in inputs["artifacts"].items()},
        output_parameters=outputs["parameters"],
        output_artifacts={name: _read(each)[0] for name, each in outputs["artifacts"].items()},
        timeout=said.get("timeout"),
        task_config=said.get("task_config"),
    )


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return (
        {"type": parameter.type}
        | ({"default": parameter.default} if parameter.has_default else {})
        | ({"optional": True} if parameter.optional else {})
        | ({"literals": list(parameter.literals)} if parameter.literals else {})
    )


def _type(kind: ArtifactType, optional: bool = False) -> dict[str, Any]:
    return (
        {"type": kind.schema_title, "version": kind.schema_version}
        | ({"schema": kind.instance_schema} if kind.instance_schema else {})
        | ({"list": True} if kind.is_list else {})
        | ({"optional": True} if optional else {})
    )


def _read(said: Mapping[str, Any]) -> tuple[ArtifactType, bool]:
    kind = ArtifactType(said["type"], said["version"], said.get("schema", ""), said.get("list", False))
    return kind, said.get("optional", False)


def _is_source(part: str) -> bool:
    return part.count("\n") > 2 and "def " in part

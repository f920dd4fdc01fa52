"""The platform spec (the second YAML document, by kfp-kubernetes): what an engine without Kubernetes honours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format

from tidegate.graph.work import EnvFrom
from tidegate.spec.messages import pb

_HONOURED = {"secretAsEnv", "configMapAsEnv", "activeDeadlineSeconds"}
_NO_MATTER = {"imagePullPolicy", "imagePullSecret", "podMetadata"}
"""Has no meaning where no image is pulled and no pod is made."""
_HONOURED_OF_PIPELINE = {"workspace"}
_NO_MATTER_OF_PIPELINE = {"resourceTtlOnCompletion", "resourceTtlOnSuccess", "resourceTtlOnFailure"}
_SOURCES = (
    ("secretAsEnv", "secret", "secretName", "secretKey"),
    ("configMapAsEnv", "config map", "configMapName", "configMapKey"),
)


def settings(platforms: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    """What the Kubernetes platform spec says of an executor."""
    return _mapping(_mapping(_kubernetes(platforms, "deploymentSpec"), "executors"), label)


def ignored_of_pipeline(platforms: Mapping[str, Any]) -> list[str]:
    """What is said of the pipeline as a whole, and means nothing here."""
    said = _kubernetes(platforms, "pipelineConfig")
    found = [f"pipeline: {name}" for name in said if name not in _HONOURED_OF_PIPELINE | _NO_MATTER_OF_PIPELINE]
    return found + [f"platform {name}" for name in platforms if name != "kubernetes"]


def image(settings: Mapping[str, Any]) -> str:
    """An image that overrides the component's; kfp writes none today."""
    found = settings.get("image")
    return found if isinstance(found, str) else ""


def timeout(settings: Mapping[str, Any]) -> float | None:
    """Seconds."""
    try:
        return float(settings.get("activeDeadlineSeconds") or 0) or None
    except (TypeError, ValueError):
        return None


def env_from(settings: Mapping[str, Any]) -> tuple[EnvFrom, ...]:
    """Variables that come from secrets and config maps, which a local run takes from a file the user gives."""
    found = []
    for field, kind, named, key in _SOURCES:
        for position, source in enumerate(_list(settings, field)):
            dynamic = _dynamic(source, named)
            name = _quoted(field, position) if dynamic else source.get(named) or _constant(source, named)
            optional = source.get("optional") is True
            found += [
                EnvFrom(str(each.get("envVar", "")), kind, str(name), str(each.get(key, "")), optional)
                for each in _list(source, "keyToEnv")
            ]
    return tuple(found)


def parameters(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The names in it that the run gives (`secretNameParameter`), as the IR's InputParameterSpec, by placeholder."""
    found = []
    for field, _, named, _ in _SOURCES:
        for position, source in enumerate(_list(settings, field)):
            if said := _dynamic(source, named):
                spec = json_format.ParseDict(dict(said), pb.TaskInputsSpec.InputParameterSpec())
                found.append((_key(field, position), spec))
    return found


def ignored(settings: Mapping[str, Any]) -> list[str]:
    """The settings that mean something on a cluster and nothing here."""
    return [name for name in settings if name not in _HONOURED | _NO_MATTER]


def _kubernetes(platforms: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    return _mapping(_mapping(platforms, "kubernetes"), part)


def _mapping(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name)
    return found if isinstance(found, Mapping) else {}


def _list(said: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = said.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _dynamic(source: Mapping[str, Any], named: str) -> Mapping[str, Any]:
    said = _mapping(source, f"{named}Parameter")
    return said if "componentInputParameter" in said or "taskOutputParameter" in said else {}


def _constant(source: Mapping[str, Any], named: str) -> str:
    value = _mapping(_mapping(source, f"{named}Parameter"), "runtimeValue").get("constant")
    return value if isinstance(value, str) else ""


def _key(field: str, position: int) -> str:
    return f"{field}-{position}"


def _quoted(field: str, position: int) -> str:
    return "{{$.inputs.parameters['%s']}}" % _key(field, position)  # noqa: UP031 - braces

"""The platform spec (the second YAML document, by kfp-kubernetes): what an engine without Kubernetes honours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.graph.work import EnvFrom

_HONOURED = {"secretAsEnv", "configMapAsEnv", "activeDeadlineSeconds"}
_NO_MATTER = {"imagePullPolicy", "imagePullSecret", "podMetadata"}
"""Has no meaning where no image is pulled and no pod is made."""


def settings(platforms: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    """What the Kubernetes platform spec says of an executor."""
    kubernetes = platforms.get("kubernetes") or {}
    executors = (kubernetes.get("deploymentSpec") or {}).get("executors") or {}
    found = executors.get(label)
    return found if isinstance(found, Mapping) else {}


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
    for field, kind, map_name, key in (
        ("secretAsEnv", "secret", "secretName", "secretKey"),
        ("configMapAsEnv", "config map", "configMapName", "configMapKey"),
    ):
        for source in settings.get(field) or ():
            name = source.get(map_name) or _constant(source.get(f"{map_name}Parameter"))
            found += [
                EnvFrom(
                    str(each.get("envVar", "")), kind, str(name), str(each.get(key, "")), bool(source.get("optional"))
                )
                for each in source.get("keyToEnv") or ()
            ]
    return tuple(found)


def ignored(settings: Mapping[str, Any]) -> list[str]:
    """The settings that mean something on a cluster and nothing here."""
    return [name for name in settings if name not in _HONOURED | _NO_MATTER]


def _constant(parameter: Any) -> str:
    value = ((parameter or {}).get("runtimeValue") or {}).get("constant")
    return value if isinstance(value, str) else ""

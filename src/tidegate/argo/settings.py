"""`[tool.tidegate.argo]` of the nearest pyproject.toml (`[argo]` of tidegate.toml): how a project runs on Argo.

[tool.tidegate.argo]
service_account = "pipelines"
repository = "s3://workflows"     # the artifact repository, so that importers know what lies in it
cache_max_age = "720h"

[tool.tidegate.argo.images]       # image pattern -> the image on the cluster: the first that matches wins
"python:3.*" = "registry.example/tidegate/host:0.1.0"

[tool.tidegate.argo.pods]         # what all pods get; a component's own settings go before
node_selector = { pool = "ml" }
requests = { cpu = "100m", memory = "256Mi" }

[tool.tidegate.argo.schedule]
cron = "0 3 * * *"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from tidegate.argo.options import Options, Pods, Schedule
from tidegate.argo.storage import KEY_FIELDS
from tidegate.local.settings import SettingsError, find

_INNER = {"pods": Pods, "schedule": Schedule}
_ALLOWED = {
    "storage": tuple(KEY_FIELDS),
    "artifact_gc": ("Never", "OnWorkflowDeletion", "OnWorkflowCompletion"),
    "pod_gc": ("", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"),
    "concurrency": ("Allow", "Forbid", "Replace"),
    "image_pull_policy": ("Always", "IfNotPresent", "Never"),
}


def load(start: Path | None = None) -> Options:
    """The options that hold in `start` (default: here). Raises: SettingsError."""
    found = find(start)
    if found is None:
        return Options()
    path, table = found
    return read(table.get("argo", {}), str(path))


def read(table: Any, where: str) -> Options:
    """The table as Options. `where`: the file, for messages. Raises: SettingsError."""
    given = _checked(table, Options, f"{where}: [tool.tidegate.argo]")
    for name, kind in _INNER.items():
        if name in given:
            given[name] = kind(**_checked(given[name], kind, f"{where}: [tool.tidegate.argo.{name}]"))
    return Options(**given)


def _checked(table: Any, kind: type[Any], where: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise SettingsError(f"{where}: expected a table, found {table!r}")
    defaults = {each.name: each for each in fields(kind)}
    found = {}
    for name, value in table.items():
        if name not in defaults:
            raise SettingsError(f"{where}: expected only {', '.join(defaults)}, found {name!r}")
        if name not in _INNER or kind is not Options:
            value = _value(value, str(defaults[name].type), f"{where}: {name}")
            if name in _ALLOWED and value not in _ALLOWED[name]:
                raise SettingsError(f"{where}: {name}: expected one of {', '.join(_ALLOWED[name])}, found {value!r}")
        found[name] = value
    for name, each in defaults.items():
        if name == "cron" and name not in found:
            raise SettingsError(f"{where}: {each.name}: missing: give a cron line such as '0 3 * * *'")
    return found


def _value(value: Any, annotation: str, where: str) -> Any:
    """As the field's annotation says: bool, int, str, tuples of them, mappings."""
    if annotation.startswith("tuple["):
        inner = dict if "Mapping" in annotation else str
        if isinstance(value, list) and all(isinstance(each, inner) for each in value):
            return tuple(value)
        raise SettingsError(f"{where}: expected a list, found {value!r}")
    if annotation.startswith("Mapping["):
        texts = annotation == "Mapping[str, str]"
        if isinstance(value, Mapping) and (not texts or all(isinstance(each, str) for each in value.values())):
            return dict(value)
        raise SettingsError(f"{where}: expected a table of texts, found {value!r}")
    kind = {"bool": bool, "int": int, "str": str}[annotation]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        expected = {"bool": "true or false", "int": "a whole number", "str": "text"}[annotation]
        raise SettingsError(f"{where}: expected {expected}, found {value!r}")
    return value

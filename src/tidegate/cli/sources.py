"""The code of a run as named texts: each component's source, command and image, and the user modules in parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.store.records import RunRecord


def sources(run: RunRecord) -> dict[str, str]:
    """Name -> text, from the compiled pipeline that the store keeps with the run."""
    found: dict[str, str] = {}
    spec = _spec(run.spec)
    for name, executor in spec.get("deploymentSpec", {}).get("executors", {}).items():
        container = executor.get("container", {})
        parts = [*map(_text, container.get("command", [])), *map(_text, container.get("args", []))]
        source = [part for part in parts if "\n" in part]
        plain = " ".join(part for part in parts if "\n" not in part)
        found[name.removeprefix("exec-")] = "\n".join([f"# image: {container.get('image', '')}", f"# {plain}", *source])
    for name, text in (*_modules(spec), *_modules(dict(run.parameters))):
        found[name] = text
    return found


def _text(part: Any) -> str:
    return part if isinstance(part, str) else json.dumps(part, sort_keys=True)


def _spec(text: str) -> Mapping[str, Any]:
    import yaml

    try:
        first = next(iter(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))), None)
    except yaml.YAMLError:
        return {}
    found = first.get("pipelineSpec", first) if isinstance(first, dict) else {}
    return found if isinstance(found, dict) else {}


def _modules(value: Any) -> Iterator[tuple[str, str]]:
    """User modules (`tidegate.module_files`): mappings from `*.py` to source, wherever they are."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str) and key.endswith(".py") and isinstance(item, str):
                yield key, item
            else:
                yield from _modules(item)
    elif isinstance(value, list):
        for item in value:
            yield from _modules(item)

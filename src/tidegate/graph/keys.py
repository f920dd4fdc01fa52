"""When two tasks are the same work: the cache key, in parts, so that a miss can be explained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tidegate.graph.work import Artifact, Container, Work


def cache_parts(work: Work, environment: str) -> dict[str, str]:
    """What the key is made of, each as a short digest: a readable name -> what stood there.

    environment: the fingerprint of what the image brings along.
    Independent of the task's path, its run and of where artifacts lie, where their content is known.
    """
    executor = work.executor
    if isinstance(executor, Container):
        parts = {
            "image": executor.image,
            "environment": environment,
            "command": _digest([*executor.command, *executor.args]),
            "env": _digest([sorted(executor.env.items()), [str(each) for each in executor.env_from]]),
        }
    else:
        parts = {"importer": _digest([executor.uri, str(executor.type), dict(executor.metadata)])}
    parts |= {f"parameter {name}": _digest(value) for name, value in sorted(work.parameters.items())}
    for name, found in sorted(work.artifacts.items()):
        parts[f"input {name}"] = _digest([_identity(each) for each in found])
    parts["outputs"] = _digest(
        [
            sorted(work.output_parameters.items()),
            sorted((name, str(kind)) for name, kind in work.output_artifacts.items()),
        ]
    )
    return parts


def cache_key(work: Work, environment: str) -> str:
    """sha256 over the parts; with a custom key, over that, image, command and outputs."""
    return key_of(cache_parts(work, environment), work.cache_key)


def key_of(parts: Mapping[str, str], custom: str = "") -> str:
    """The key of these parts."""
    if custom:
        fixed = {name: parts[name] for name in ("image", "command", "outputs") if name in parts}
        return _digest({"custom": custom} | fixed)
    return _digest(dict(parts))


def identity(artifact: Artifact) -> str:
    """What an artifact is to a cache key, as a digest; where it lies counts only where its content is not known."""
    return _digest(_identity(artifact))


def _identity(artifact: Artifact) -> list[Any]:
    where = artifact.digest or artifact.uri
    return [where, artifact.schema_title, artifact.schema_version, artifact.instance_schema, dict(artifact.metadata)]


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

"""Argo's nodes, read: which task of the pipeline they are, and why they failed. The standard library only."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from typing import Any

ITERATION = "iteration"
START = "START"
"""The name of tasks that never run and are no task of the pipeline's (whose names have no capitals)."""
_ITERATION = re.compile(rf"{ITERATION}\(([0-9]+):[^()]*\)")
_ATTEMPT = re.compile(r"\([0-9]+\)$")
_MESSAGE = re.compile(
    r"(?:(?P<container>[a-z0-9-]+): )?(?P<reason>[A-Za-z]+) \(exit code (?P<code>[0-9]+)\)(?:: (?P<said>.*))?", re.S
)
_OWN = re.compile(r"fromJSON\(\"!(.*?)!\"\)")
"""An expression that fails on purpose (`expressions.given`), as Argo quotes it."""
_ERRORED = re.compile(r"^task '[^']*' errored: ")
_KINDS = {
    "OOMKilled": "out of memory: the kernel killed the task; raise the limit (set_memory_limit) or give it less data",
}


def path_of(name: str) -> str:
    """A node's path in the pipeline: `flights-x7k2p.for-loop-1.iteration(3:3).train` -> `for-loop-1/3/train`.

    The attempts of a task have the task's path, the workflow's own node the empty one.
    """
    _, *parts = _ATTEMPT.sub("", name).split(".")
    return "/".join(_ITERATION.sub(r"\1", part) for part in parts)


def failure(message: str) -> str:
    """Why a task failed, as it said itself: without what Argo puts before it."""
    if own := _OWN.search(message):
        return own[1]
    message = _ERRORED.sub("", message)
    found = _MESSAGE.fullmatch(message)
    if found is None:
        return message
    return found["said"] or _KINDS.get(found["reason"], "") or f"exit status {found['code']}"


def reason(node: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """Why a node failed; of a task with retries, why its last attempt did. `nodes`: all of the workflow's, by id."""
    attempts = [nodes[child] for child in node.get("children", ()) if child in nodes] if node["type"] == "Retry" else []
    tried = [each for each in attempts if each.get("nodeFlag", {}).get("retried")]
    last = max(tried, key=lambda each: each.get("startedAt") or "", default=node)
    return failure(last.get("message") or node.get("message", ""))


def unpacked(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """A workflow's nodes by id; Argo compresses them where they are many or big."""
    packed = status.get("compressedNodes")
    return dict(json.loads(gzip.decompress(base64.b64decode(packed))) if packed else status.get("nodes", {}))

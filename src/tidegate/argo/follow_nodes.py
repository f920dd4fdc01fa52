"""A Workflow object's nodes, wherever in it they are. Pure."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate.cluster.observed import ClusterError

Node = Mapping[str, Any]


def nodes_of(workflow: Mapping[str, Any]) -> dict[str, Node]:
    """Id -> node; Argo compresses them where there are many. Raises: ClusterError where they are elsewhere."""
    status = workflow.get("status") or {}
    if compressed := status.get("compressedNodes"):
        found = json.loads(gzip.decompress(base64.b64decode(compressed)))
    else:
        found = status.get("nodes") or {}
    if not found and status.get("offloadNodeStatusVersion"):
        raise ClusterError(
            "the workflow is so big that Argo keeps its nodes in a database, which only the Argo server reads: "
            "split the pipeline, or turn `nodeStatusOffLoad` off"
        )
    return {str(id): node for id, node in found.items()}


def cached_keys(workflow: Mapping[str, Any]) -> dict[str, str]:
    """Key -> the ConfigMap that has it, of all nodes that the cache answered."""
    found = (node.get("memoizationStatus") or {} for node in nodes_of(workflow).values())
    return {str(each.get("key", "")): str(each.get("cacheName", "")) for each in found if each.get("hit")}


def time_of(text: Any) -> float | None:
    """Seconds since the epoch."""
    return datetime.fromisoformat(str(text)).timestamp() if text else None

"""The pods of an Argo Workflow's nodes, and what they printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.cluster.kube import Kube, KubeError, path
from tidegate.cluster.observed import ClusterError

_FORMAT = "workflows.argoproj.io/pod-name-format"
_PREFIX = 253 - 10  # characters, as Argo's util.GeneratePodName cuts it
MAIN = "main"
"""Argo's name for the container that does the step's work."""


def pod_name(workflow: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """`<workflow>-<template>-<hash>`, where the hash ends the node's id; Argo before 3.4: the id itself. Pure."""
    metadata = workflow.get("metadata") or {}
    name, id = str(metadata.get("name", "")), str(node.get("id", ""))
    if node.get("name") == name or (metadata.get("annotations") or {}).get(_FORMAT) == "v1":
        return id
    template = node.get("templateName") or (node.get("templateRef") or {}).get("template") or ""
    prefix = f"{name}-{template}" if ".inline" not in str(node.get("name", "")) else name
    return f"{prefix[: _PREFIX - 1]}-{id.rpartition('-')[2]}"


def log(kube: Kube, pod: str, follow: bool = False, container: str = MAIN) -> Iterator[bytes]:
    """What the pod's container printed. Raises: ClusterError where the pod is gone, or has not started."""
    at = path("api", "v1", "namespaces", kube.place.namespace, "pods", pod, "log")
    query = {"container": container} | ({"follow": "true"} if follow else {})
    try:
        yield from kube.stream(at, f"read the log of pod {pod}", **query)
    except KubeError as error:
        if error.status == 404:
            raise ClusterError(f"pod {pod} is gone, and its log with it") from error
        if error.status == 400:
            raise ClusterError(f"pod {pod} has printed nothing yet: it has not started") from error
        raise


def text(kube: Kube, pod: str, most: int = 1 << 20) -> str:
    """The end of the log, `most` bytes; empty where there is none any more."""
    try:
        return b"".join(log(kube, pod))[-most:].decode("utf-8", "replace")
    except ClusterError:
        return ""

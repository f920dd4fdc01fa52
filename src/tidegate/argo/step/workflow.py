"""What a step may ask of its own workflow: why another task failed.

Argo tells a DAG's tasks how the others ended, not why. Where the pod's service account may `get` workflows, the reason
is read from there; else there is none.
"""

from __future__ import annotations

import json
import os
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate.argo import nodes

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SECONDS = 10


def failure_of(found: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """Why the node of that name failed; of a DAG, what failed in it first, with its path. `found`: by id. Pure."""
    inside = [
        each
        for each in found.values()
        if each.get("phase") in ("Failed", "Error")
        and each.get("message")
        and (each["name"] == name or each["name"].startswith((f"{name}.", f"{name}(")))
        and each.get("type") in ("Pod", "Skipped", "Retry")
        and not each.get("nodeFlag", {}).get("retried")
    ]
    if not inside:
        return ""
    first = min(inside, key=lambda each: (each.get("finishedAt") or "", each["name"]))
    why = nodes.reason(first, found)
    return why if first["name"] == name else f"{nodes.path_of(first['name'])}: {why}"


def failure(task: str) -> str:
    """Why the task beside this one failed; empty where that is not to be had."""
    parent, _, _ = os.environ["TIDEGATE_NODE"].rpartition(".")
    try:
        return failure_of(_nodes(), f"{parent}.{task}")
    except (OSError, ValueError, KeyError):
        return ""


def _nodes() -> dict[str, Mapping[str, Any]]:
    """The workflow's nodes, as Kubernetes has them now."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    namespace = (_ACCOUNT / "namespace").read_text()
    url = (
        f"https://{host}:{port}/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows/{os.environ['TIDEGATE_RUN']}"
    )
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {(_ACCOUNT / 'token').read_text()}"})
    context = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=_SECONDS, context=context) as answer:  # noqa: S310
        return nodes.unpacked(json.load(answer)["status"])

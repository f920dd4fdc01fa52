"""Workflows of tidegate's that others started (a schedule, Git, a colleague), as runs that a store can know. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate.argo import wire
from tidegate.argo.submit import USER
from tidegate.store.places import segment
from tidegate.store.records import RunRecord

MANAGED = "app.kubernetes.io/managed-by=tidegate"
"""The label selector that finds them."""
_PIPELINE = "tidegate.io/pipeline"
_CREATOR = "workflows.argoproj.io/creator"
_CRON = "workflows.argoproj.io/cron-workflow"


def run_of(workflow: Mapping[str, Any], context: str) -> RunRecord:
    """The run, without its tasks. What was compiled is not in it: `spec` is empty.

    context: the kubeconfig's, so that the run is found again.
    """
    meta = workflow["metadata"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    given = ((workflow.get("spec") or {}).get("arguments") or {}).get("parameters") or ()
    cron = labels.get(_CRON)
    return RunRecord(
        id=segment(str(meta["name"])),  # it names a folder
        pipeline=str(annotations.get("workflows.argoproj.io/title") or labels.get(_PIPELINE) or meta["name"]),
        state="running",
        created=datetime.fromisoformat(str(meta["creationTimestamp"])).timestamp(),
        ended=None,
        user=f"cron {cron}" if cron else str(annotations.get(USER) or labels.get(_CREATOR) or ""),
        engine="argo",
        parameters={str(each["name"]): _typed(str(each.get("value", ""))) for each in given},
        error="",
        code="",
        spec="",
        settings={
            "context": context,
            "namespace": str(meta["namespace"]),
            "workflow": str(meta["name"]),
            "uid": str(meta["uid"]),
        },
    )


def _typed(text: str) -> Any:
    """An argument as `wire.argument` writes it, as far as its type can be seen."""
    if text.startswith(wire.JSON_ARGUMENT):
        text = text.removeprefix(wire.JSON_ARGUMENT)
    try:
        value = wire.load(text)
    except ValueError:
        return text
    return None if isinstance(value, wire.Missing) else value

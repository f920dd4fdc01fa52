"""What is worth an Event: each decision, with its evidence. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from tidegate.kube.client import MANAGER, Json
from tidegate.operator.crd import KIND
from tidegate.rollout.explain import explain
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.state import Phase, State

_MOST = 1024
"""Characters that the API server takes as an Event's message."""
_UNTRIED = (Phase.PREPARING, Phase.PROGRESSING)
_WARNINGS = (Phase.ROLLING_BACK, Phase.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that was decided, or found out."""

    reason: str
    """One word in CamelCase, for machines."""
    message: str
    warning: bool = False


def decisions(plan: RolloutPlan, before: State | None, after: State) -> list[Decision]:
    """From one turn to the next; none where nothing was decided."""
    if before is None or before.phase is not after.phase or before.uri != after.uri:
        sentences = [after.reason, *(explain(plan, after)[1:] if after.phase not in _UNTRIED else [])]
        return [Decision(str(after.phase), "\n".join(sentences), after.phase in _WARNINGS)]
    if (before.weight, before.mirror) != (after.weight, after.mirror):
        return [Decision("TrafficChanged", "\n".join([after.reason, *explain(plan, after)[1:]]))]
    if before.paused != after.paused:
        return [Decision("Paused" if after.paused else "Resumed", "a person said so")]
    return []


def event(rollout: Json, decision: Decision, when: str, after: str) -> Json:
    """The Event; what was decided again from the same state (`after` names it) has the same name, and is told once."""
    meta = rollout["metadata"]
    said = f"{meta['uid']} {after} {decision.reason}"
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name'][:200]}.{hashlib.sha256(said.encode()).hexdigest()[:16]}",
            "namespace": meta["namespace"],
        },
        "involvedObject": {
            "apiVersion": rollout["apiVersion"],
            "kind": KIND,
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
        "reason": decision.reason,
        "message": decision.message[:_MOST],
        "type": "Warning" if decision.warning else "Normal",
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": MANAGER,
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
    }
    return body

"""Argo CD's health checks, by a real Lua 5.1 (that of Argo CD's own), case by case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lupa.lua51 import LuaRuntime

from tidegate.rollout.state import Phase

CHECKS = Path(__file__).parent.parent.parent / "manifests/argo-cd/settings"

Case = tuple[str, dict[str, Any], str, str]
"""Name, what differs from the usual object, health, a part of the message."""


def rollout(phase: str | None = "Progressing", **changes: Any) -> dict[str, Any]:
    status = (
        None if phase is None else {"phase": phase, "observedGeneration": 3, "message": "why", "stable": "s3://m/1"}
    )
    made: dict[str, Any] = {"metadata": {"name": "flights", "generation": 3}, "spec": {"model": {"uri": "s3://m/2"}}}
    made |= {"status": status} if status else {}
    for key, value in changes.items():
        made[key] = {**made.get(key, {}), **value}
    return made


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}


MODEL_ROLLOUTS: list[Case] = [
    ("nobody looked yet", rollout(None), "Progressing", "not looked"),
    ("an empty status", rollout(None, status={}), "Progressing", "not looked"),
    ("the spec changed since", rollout("Promoted", metadata={"generation": 4}), "Progressing", "last change"),
    ("a spec that cannot be used", rollout("Invalid"), "Degraded", "why"),
    ("a new model comes up", rollout("Preparing"), "Progressing", "Preparing: the new model has 0 %"),
    ("a canary", rollout(status={"weights": {"stable": 80, "canary": 20}}), "Progressing", "has 20 % of the requests"),
    ("it waits", rollout(status={"waiting": "for evidence"}), "Progressing", "; for evidence"),
    ("blue-green, switched", rollout("Switched", status={"weights": {"canary": 100}}), "Progressing", "has 100 %"),
    ("Git comes first", rollout("Recording"), "Progressing", "Recording"),
    ("it goes live", rollout("Promoting"), "Progressing", "Promoting"),
    ("live", rollout("Promoted"), "Healthy", "why"),
    ("a shadow's report", rollout("Reported"), "Healthy", "why"),
    ("on the way back", rollout("RollingBack"), "Degraded", "Rolling back: why"),
    ("back, Git is told", rollout("Concluding"), "Degraded", "Rolling back: why"),
    ("rolled back", rollout("RolledBack"), "Degraded", "Rolled back to s3://m/1: why"),
    ("paused by the spec", rollout(spec={"paused": True}), "Suspended", "Paused at Progressing"),
    ("paused by a person", rollout(status={"state": {"paused": True}}), "Suspended", "Paused"),
    ("paused, but over", rollout("Promoted", spec={"paused": True}), "Healthy", "why"),
    ("held by an edit", rollout(status=condition("Foreign", message="weight 30")), "Suspended", "weight 30"),
    ("no edit", rollout(status=condition("Foreign", "False")), "Progressing", "Progressing"),
    ("stable fails", rollout(status=condition("Degraded", reason="StableFails", message="crash")), "Degraded", "crash"),
    ("and later", rollout("Promoted", status=condition("Degraded", reason="StableFails")), "Degraded", "cannot serve"),
]  # fmt: skip


def deployment(state: str | None = "Available", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "metadata": {"name": "flights"},
        "spec": {"predictors": [{"name": "default", "replicas": 1}]},
    }
    made |= {"status": {"state": state}} if state else {}
    for key, value in changes.items():
        made[key] = {**made.get(key, {}), **value}
    return made


def replicas(**counts: tuple[int, int]) -> dict[str, Any]:
    """Seldon leaves zeros out."""
    known = {name: {"availableReplicas": got, "replicas": want} for name, (got, want) in counts.items()}
    return {"deploymentStatus": {name: {k: v for k, v in one.items() if v} for name, one in known.items()}}


SELDON_DEPLOYMENTS: list[Case] = [
    ("nobody looked yet", deployment(None), "Progressing", "not looked"),
    ("no state yet", deployment(None, status={"description": "x"}), "Progressing", "not looked"),
    ("available", deployment(), "Healthy", "All replicas"),
    ("available, counted", deployment(status=replicas(a=(2, 2), b=(1, 1))), "Healthy", "All replicas"),
    ("being made", deployment("Creating"), "Progressing", "Creating"),
    ("being made, with a word", deployment("Creating", status={"description": "pulling"}), "Progressing", "pulling"),
    ("failed", deployment("Failed", status={"description": "no such image"}), "Degraded", "no such image"),
    ("failed without a word", deployment("Failed"), "Degraded", "Failed"),
    ("failed, replicas or not", deployment("Failed", status=replicas(a=(0, 1))), "Degraded", "Failed"),
    ("a stale state", deployment(status=replicas(a=(0, 1))), "Progressing", "a has 0 of 1 replicas; Seldon applies no"),
    ("several want", deployment(status=replicas(b=(1, 2), a=(0, 1))), "Progressing", "a has 0 of 1 replicas, b has"),
    ("surplus while one ends", deployment(status=replicas(a=(2, 1))), "Healthy", "All"),
    ("frozen", deployment(spec={"predictors": [{"name": "p", "replicas": 0}]}), "Suspended", "p has no replicas"),
    ("replicas not said", deployment(spec={"predictors": [{"name": "p"}]}), "Healthy", "All"),
    ("no predictors at all", deployment(spec={"predictors": None}), "Healthy", "All"),
    ("a state of later versions", deployment("Sleeping"), "Progressing", "Sleeping"),
]  # fmt: skip


def table(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: table(lua, one) for key, one in value.items() if one is not None})
    return lua.table_from([table(lua, one) for one in value]) if isinstance(value, list) else value


def health(check: str, obj: dict[str, Any]) -> tuple[str, str]:
    lua = LuaRuntime(register_eval=False, register_builtins=False)
    lua.execute("string, io, os, debug, coroutine, math = nil")  # Argo CD opens none of them
    lua.globals().obj = table(lua, obj)
    found = lua.execute((CHECKS / check).read_text())
    return found.status, found.message


CASES = [("modelrollout.lua", *case) for case in MODEL_ROLLOUTS] + [
    ("seldondeployment.lua", *case) for case in SELDON_DEPLOYMENTS
]


@pytest.mark.parametrize(
    ("check", "_name", "obj", "status", "message"), CASES, ids=[f"{c[0][:6]}-{c[1]}" for c in CASES]
)
def test_health(check: str, _name: str, obj: dict[str, Any], status: str, message: str) -> None:
    found, said = health(check, obj)
    assert found == status
    assert message in said


def test_every_phase_of_a_rollout_has_a_case() -> None:
    told = {obj["status"]["phase"] for _, obj, _, _ in MODEL_ROLLOUTS if "phase" in obj.get("status", {})}
    assert told == {*Phase, "Invalid"}

"""What a ModelRollout's status says. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Any

from tidegate.operator.reading import INVALID, Rollout
from tidegate.rollout.explain import sentence
from tidegate.rollout.observation import CANARY, STABLE, Routing
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.state import Phase, State, encode
from tidegate.rollout.verdicts import verdicts

Status = dict[str, Any]
_BAD_ENDS = (Phase.ROLLING_BACK, Phase.CONCLUDING, Phase.ROLLED_BACK)


def timestamp(now: float) -> str:
    """As the API has times."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def status(
    rollout: Rollout, plan: RolloutPlan, state: State, routing: Routing | None, now: float, waiting: str
) -> Status:
    """Of a rollout that stands at `state`. `routing` None: what was in force last stays said."""
    before = rollout.status
    begun = before.get("startedAt") if before.get("model") == state.uri and not rollout.begins else None
    said: Status = {
        "observedGeneration": rollout.generation,
        "phase": str(state.phase),
        "message": state.reason,
        "model": state.uri,
        "stable": state.stable,
        "startedAt": begun or timestamp(now),
        "requirements": _requirements(plan, state),
        "state": encode(state),
    }
    if routing is not None:
        said["weights"] = {role: int(routing.weights.get(role, 0)) for role in (STABLE, CANARY)}
        said["mirrored"] = routing.mirrored
    else:
        said |= {key: before[key] for key in ("weights", "mirrored") if key in before}
    if waiting:
        said["waiting"] = waiting
    said["conditions"] = _conditions(rollout, _facts(plan, state, routing), now)
    return said


def invalid(rollout: Rollout, problem: str, now: float) -> Status:
    """Of a ModelRollout whose spec (or state) cannot be used."""
    kept = {key: value for key, value in rollout.status.items() if key not in ("conditions", "waiting")}
    facts = {"Progressing": (False, INVALID, problem), "Degraded": (True, INVALID, problem)}
    return kept | {
        "observedGeneration": rollout.generation,
        "phase": INVALID,
        "message": problem[:2000],
        "conditions": _conditions(rollout, facts, now),
    }


def settled(before: Status, after: Status) -> bool:
    """Whether the difference is only what the operator remembers: nothing that people look for."""

    def shown(status: Status) -> Status:
        conditions = [(each["type"], each["status"], each["reason"]) for each in status.get("conditions") or []]
        passing = ("state", "requirements", "message", "waiting")
        return {key: value for key, value in status.items() if key not in passing} | {"conditions": conditions}

    return shown(before) == shown(after)


Fact = tuple[bool, str, str]
"""(holds, reason, message)."""


def _facts(plan: RolloutPlan, state: State, routing: Routing | None) -> dict[str, Fact]:
    phase, foreign = state.phase, routing.foreign if routing else ""
    failing = (routing.failing.get(STABLE, "") if routing else "") or ""
    facts = {
        "Progressing": (not phase.final, str(phase), state.reason),
        "Promoted": (phase is Phase.PROMOTED, str(phase), state.reason),
        "Degraded": (
            phase in _BAD_ENDS or bool(failing),
            "StableFails" if failing else str(phase),
            failing or state.reason,
        ),
        "Foreign": (bool(foreign), "ForeignChange" if foreign else "None", foreign),
    }
    if plan.git is not None:
        facts["Recorded"] = (state.recorded, "Recorded" if state.recorded else "NotRecorded", plan.git.path)
    return facts


def _conditions(rollout: Rollout, facts: dict[str, Fact], now: float) -> list[dict[str, Any]]:
    before = {each["type"]: each for each in rollout.status.get("conditions") or []}
    made = []
    for kind, (holds, reason, message) in facts.items():
        value, old = "True" if holds else "False", before.get(kind, {})
        since = old["lastTransitionTime"] if old.get("status") == value else timestamp(now)
        made.append(
            {
                "type": kind,
                "status": value,
                "reason": reason,
                "message": message[:2000],
                "lastTransitionTime": since,
                "observedGeneration": rollout.generation,
            }
        )
    return made


def _requirements(plan: RolloutPlan, state: State) -> list[dict[str, Any]]:
    found = []
    for verdict in verdicts(plan, state):
        numbers = {"value": verdict.value, "low": verdict.low, "high": verdict.high, "bound": verdict.bound}
        said = {key: number for key, number in numbers.items() if number is not None and isfinite(number)}
        found.append({"name": verdict.name, "sentence": sentence(verdict), **said, "seen": verdict.seen})
    return found

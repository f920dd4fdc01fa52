"""Where verdicts are written: the port that a Git writer fills."""

from __future__ import annotations

from typing import Protocol

from tidegate.rollout.actions import Record
from tidegate.rollout.plan import RolloutPlan


class Recorder(Protocol):
    """Writes a verdict where the desired state lives. Safe to repeat: the same verdict twice is one commit."""

    async def record(self, plan: RolloutPlan, namespace: str, name: str, verdict: Record, stable: str) -> None:
        """`name`: the ModelRollout's; `stable`: the uri that was live when it began. Raises: PortError."""
        ...

"""What a rollout may ask of the place that serves: each can be asked again without harm, until it is seen in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prepare:
    """Bring the new model up beside the stable one, without requests."""

    uri: str
    digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class SetTraffic:
    """Weights in per cent by role, sum 100; `mirror` per cent of requests copied to the canary."""

    weights: Mapping[str, int]
    mirror: int = 0


@dataclass(frozen=True, slots=True)
class Promote:
    """The stable role takes the canary's model, without losing a request; the canary role is empty then."""

    uri: str
    digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """The canary goes: all requests to stable, then the canary ends. `emergency`: at once, sick as it may be."""

    emergency: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Write the verdict where the desired state lives (Git). Asked for only where the plan has `git`: before `Promote`,
    because Argo CD would undo a promotion that Git does not have; after a rollback, which never waits for Git.
    """

    outcome: str
    """`promoted` or `rolledBack`."""
    uri: str
    """The model that the verdict is about."""
    message: str
    """Why, in sentences with the evidence: the body of the commit."""

    @property
    def key(self) -> str:
        """What `Observation.recorded` is once this is written."""
        return f"{self.outcome} {self.uri}"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (seconds since the epoch) or the next observation."""

    reason: str
    until: float | None = None


Action = Prepare | SetTraffic | Promote | Drop | Record | Wait

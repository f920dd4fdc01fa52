"""What the operator may do in a cluster, and why: the RBAC rules that its manifests have, verb by verb. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.kube.resources import (
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    MODEL_ROLLOUTS,
    PODS,
    SELDON_DEPLOYMENTS,
    VIRTUAL_SERVICES,
    Resource,
)


@dataclass(frozen=True, slots=True)
class Right:
    resource: Resource
    verbs: tuple[str, ...]
    why: str
    part: str = ""
    """A subresource."""

    @property
    def rule(self) -> dict[str, Any]:
        """As Roles have it."""
        name = f"{self.resource.plural}/{self.part}" if self.part else self.resource.plural
        return {"apiGroups": [self.resource.group], "resources": [name], "verbs": list(self.verbs)}


WORK = (
    Right(MODEL_ROLLOUTS, ("get", "list", "watch"), "what is asked for"),
    Right(MODEL_ROLLOUTS, ("patch",), "its finalizer, and people's commands that were heard"),
    Right(MODEL_ROLLOUTS, ("patch",), "where the rollout stands", part="status"),
    Right(SELDON_DEPLOYMENTS, ("get", "patch"), "the traffic that rollouts own"),
    Right(VIRTUAL_SERVICES, ("get",), "the weights in force"),
    Right(DEPLOYMENTS, ("list",), "whether models are ready"),
    Right(PODS, ("list",), "why they are not, and where metrics are; the gateway's as well"),
    Right(EVENTS, ("create",), "each decision, with its evidence"),
)
"""In every namespace where there are ModelRollouts. A ModelRollout with `git.credentials` needs `get` of that one
Secret besides: a Role that names it, in its namespace.
"""
LEADING = (
    Right(LEASES, ("create",), "the Lease, when there is none"),
    Right(LEASES, ("get", "update"), "which of several operators is at work"),
)
"""In the operator's own namespace."""

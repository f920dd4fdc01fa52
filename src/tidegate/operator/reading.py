"""A ModelRollout as it is read: what it asks for and where it stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.kube.client import Json
from tidegate.operator.queue import Key
from tidegate.rollout.documents import PlanError, checked
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.state import Phase, State, decode

COMMAND = "tidegate.io/command"
"""The annotation by which people say promote, abort, pause, resume or retry; the operator removes it once heard."""
FINALIZER = "tidegate.io/traffic"
"""Keeps a ModelRollout that is deleted until its traffic is safe."""
COMMANDS = ("promote", "abort", "pause", "resume", "retry")
INVALID = "Invalid"
_FINAL = {str(phase) for phase in Phase if phase.final} | {INVALID}


@dataclass(frozen=True, slots=True)
class Rollout:
    """A ModelRollout, read."""

    body: Json
    plan: RolloutPlan | None
    """None: `problem` says why."""
    state: State | None
    """Where it stands; None: no rollout has begun, or its state cannot be read (`problem` says why)."""
    problem: str = ""

    @property
    def key(self) -> Key:
        return Key(self.body["metadata"]["namespace"], self.body["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.body["metadata"]["uid"])

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def generation(self) -> int:
        return int(self.body["metadata"].get("generation", 0))

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.body.get("status") or {})

    @property
    def deleted(self) -> bool:
        return bool(self.body["metadata"].get("deletionTimestamp"))

    @property
    def held(self) -> bool:
        """Whether it has our finalizer."""
        return FINALIZER in (self.body["metadata"].get("finalizers") or [])

    @property
    def command(self) -> str:
        return command(self.body)

    @property
    def target(self) -> str:
        """The SeldonDeployment's name, also where the rest of the spec cannot be used; empty: none."""
        spec = self.body.get("spec") or {}
        said = (spec.get("target") or {}).get("seldonDeployment") if isinstance(spec.get("target"), dict) else None
        return str(said.get("name", "")) if isinstance(said, dict) else ""

    @property
    def container(self) -> str:
        target = self.plan.target.seldon_deployment if self.plan else None
        return target.container if target else ""

    @property
    def begins(self) -> bool:
        """Whether another model is asked for than the last rollout was about."""
        if self.plan is None or (self.state is not None and not self.state.phase.final):
            return False
        asked = (self.plan.model.uri, self.plan.model.digest)
        return self.state is None or self.command == "retry" or (self.state.uri, self.state.digest) != asked


def read(body: Json) -> Rollout:
    """Never raises: what is wrong is told in `problem`."""
    plan, state, problem = None, None, ""
    try:
        plan = checked(body.get("spec"))
        if plan.target.seldon_deployment is None:
            raise PlanError("spec: in a cluster, target.seldonDeployment says where the model is served")
    except PlanError as error:
        plan, problem = None, str(error)
    stored = (body.get("status") or {}).get("state")
    if stored:
        try:
            state = decode(stored)
        except ValueError as error:
            problem = problem or str(error)
    return Rollout(body, plan, state, problem)


def at_rest(body: Json) -> bool:
    """Whether nothing is to be done, told from the object as the watch brings it, without reading its state."""
    meta, status = body["metadata"], body.get("status") or {}
    return bool(
        not meta.get("deletionTimestamp")
        and status.get("observedGeneration") == meta.get("generation")
        and status.get("phase") in _FINAL
        and FINALIZER not in (meta.get("finalizers") or [])
        and not command(body)
    )


def command(body: Json) -> str:
    said = str((body["metadata"].get("annotations") or {}).get(COMMAND, "")).strip().lower()
    return said if said in COMMANDS else ""

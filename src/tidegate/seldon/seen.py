"""What is in force of a SeldonDeployment, from the objects that tell: its VirtualService and its Deployments. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.rollout.observation import CANARY, STABLE, Routing
from tidegate.rollout.ports import PortError
from tidegate.seldon.predictors import MODEL, Predictor, is_canary, model_of, summary, version_label

Json = Mapping[str, Any]

OWNED = "tidegate.io/rollout"
"""The SeldonDeployment's annotation while a rollout is under way: whose it is, and the predictors as it left them."""
_WAITING_BAD = {
    "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName",
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """The objects of one SeldonDeployment, read one after the other: the API has no common instant."""

    owner: str
    """Which rollout asks: its uid, or another name that nobody else has."""
    deployment: Json
    """The SeldonDeployment."""
    virtual_service: Json | None
    deployments: Sequence[Json]
    """The Deployments that Seldon made of it."""
    pods: Sequence[Json] = ()
    """Of those."""
    container: str = ""

    @property
    def predictors(self) -> list[Predictor]:
        return list(self.deployment["spec"].get("predictors") or [])

    @property
    def stable(self) -> Predictor:
        """Raises: PortError for a SeldonDeployment without predictors."""
        if not self.predictors:
            raise PortError(f"SeldonDeployment {self.name}: expected a predictor, found none", again=False)
        return self.predictors[0]

    @property
    def canary(self) -> Predictor | None:
        return next((p for p in self.predictors[1:] if is_canary(p)), None)

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    @property
    def owned(self) -> bool:
        """Whether the SeldonDeployment says that it is in this rollout's hands."""
        noted = _noted(self)
        return noted is not None and noted.get("owner") == self.owner

    @property
    def frozen(self) -> str:
        """Why Seldon would not put weights in force now; empty: it would."""
        for predictor in self.predictors:
            if predictor.get("replicas") == 0:
                return f"predictor {predictor['name']} has replicas: 0"
            for deployment in self.of(predictor):
                if _unavailable(deployment):
                    return f"Deployment {deployment['metadata']['name']} has unavailable replicas"
        return ""

    def of(self, predictor: Predictor) -> list[Json]:
        """The predictor's Deployments."""
        label = version_label(predictor)
        return [d for d in self.deployments if (d["metadata"].get("labels") or {}).get("version") == label]

    def ready(self, predictor: Predictor) -> bool:
        """Every replica runs what the predictor says, is available, and can be routed to."""
        found = self.of(predictor)
        return bool(found) and all(_current(d, predictor) for d in found) and predictor["name"] in self.routed

    def available(self, predictor: Predictor) -> bool:
        """At least one replica of each of its Deployments can answer."""
        found = self.of(predictor)
        return bool(found) and all((d.get("status") or {}).get("availableReplicas") for d in found)

    @property
    def routed(self) -> dict[str, int]:
        """Predictor -> weight in force, in per cent; what is mirrored has 0. Empty before Istio knows it."""
        route = _first_route(self.virtual_service)
        targets = route.get("route") or []
        weights = {t["destination"]["subset"]: int(t.get("weight") or 0) for t in targets}
        if len(weights) == 1:  # Istio's rule: the only one gets all
            weights = dict.fromkeys(weights, 100)
        mirror = (route.get("mirror") or {}).get("subset")
        return weights | ({mirror: 0} if mirror else {})

    @property
    def mirrored(self) -> int:
        """Per cent of requests copied to the shadow."""
        route = _first_route(self.virtual_service)
        if not route.get("mirror"):
            return 0
        return round(float((route.get("mirrorPercentage") or {}).get("value", 100)))

    def weight(self, predictor: Predictor) -> int:
        return self.routed.get(predictor["name"], 0)


def routing(seen: Seen) -> Routing:
    """What is in force, by role. Raises: PortError for a SeldonDeployment without predictors."""
    roles = {STABLE: seen.stable} | ({CANARY: seen.canary} if seen.canary is not None else {})
    failing = {role: why for role, predictor in roles.items() if (why := _failing(seen, predictor))}
    return Routing(
        weights={role: seen.weight(predictor) for role, predictor in roles.items()},
        mirrored=seen.mirrored,
        models={role: model_of(predictor, seen.container) for role, predictor in roles.items()},
        ready={role: seen.ready(predictor) for role, predictor in roles.items()},
        failing=failing,
        foreign=foreign(seen),
    )


def foreign(seen: Seen) -> str:
    """What somebody else changed of what the rollout owns, in words; empty: nothing."""
    for predictor in seen.predictors[1:]:
        if not is_canary(predictor):
            return f"predictor {predictor['name']} is not the rollout's: it must go before one can own the traffic"
    noted = _noted(seen)
    if noted is None:
        return ""
    if noted.get("owner") != seen.owner:
        return f"another rollout ({noted.get('owner')}) owns the traffic of {seen.name}"
    was = {p["name"]: p for p in noted.get("predictors", [])}
    now = {p["name"]: p for p in summary(seen.predictors, seen.container)}
    for name in {**was, **now}:
        if name not in now:
            return f"predictor {name} was removed{_by(seen)}"
        if name not in was:
            return f"predictor {name} was added{_by(seen)}"
        for key in ("traffic", "shadow", "model"):
            before, after = was[name].get(key), now[name][key]
            if before != after:
                return f"{key} of predictor {name} is {after}, the rollout left {before}{_by(seen)}"
    return ""


def note(seen: Seen, predictors: Sequence[Predictor]) -> str:
    """The annotation's text for predictors as the rollout leaves them."""
    said = {"owner": seen.owner, "predictors": summary(predictors, seen.container)}
    return json.dumps(said, sort_keys=True, separators=(",", ":"))


def _noted(seen: Seen) -> dict[str, Any] | None:
    text = (seen.deployment["metadata"].get("annotations") or {}).get(OWNED)
    if text is None:
        return None
    try:
        noted = json.loads(text)
    except ValueError:
        noted = None
    return noted if isinstance(noted, dict) else {"owner": "unreadable"}


def _by(seen: Seen) -> str:
    """Who wrote the spec last, where the API server tells it."""
    writers = [
        entry
        for entry in seen.deployment["metadata"].get("managedFields") or []
        if "f:spec" in (entry.get("fieldsV1") or {}) and entry.get("time")
    ]
    if not writers:
        return ""
    last = max(writers, key=lambda entry: str(entry["time"]))
    return f" (by {last.get('manager', 'somebody')} at {last['time']})"


def _first_route(virtual_service: Json | None) -> dict[str, Any]:
    routes = ((virtual_service or {}).get("spec") or {}).get("http") or [{}]
    return dict(routes[0])


def _unavailable(deployment: Json) -> bool:
    status = deployment.get("status") or {}
    wanted = (deployment.get("spec") or {}).get("replicas", 1)
    return bool(status.get("unavailableReplicas")) or (status.get("availableReplicas") or 0) < wanted


def _current(deployment: Json, predictor: Predictor) -> bool:
    """The Deployment has the predictor's model, and all of its replicas do."""
    meta, spec, status = deployment["metadata"], deployment["spec"], deployment.get("status") or {}
    wanted = spec.get("replicas", 1)
    told = (spec["template"].get("metadata") or {}).get("annotations") or {}
    return (
        told.get(MODEL) == (predictor.get("annotations") or {}).get(MODEL)
        and status.get("observedGeneration", 0) >= meta.get("generation", 0)
        and wanted > 0
        and (status.get("replicas") or 0) == wanted
        and (status.get("updatedReplicas") or 0) == wanted
        and (status.get("availableReplicas") or 0) == wanted
    )


def _failing(seen: Seen, predictor: Predictor) -> str:
    """Why it cannot serve: what its pods wait for, or that none is left although requests are sent to it."""
    label = version_label(predictor)
    for pod in seen.pods:
        if (pod["metadata"].get("labels") or {}).get("version") == label and (why := _pod_trouble(pod)):
            return f"pod {pod['metadata']['name']}: {why}"
    for deployment in seen.of(predictor):
        for condition in (deployment.get("status") or {}).get("conditions") or []:
            if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
                return f"Deployment {deployment['metadata']['name']}: {condition.get('message', condition['reason'])}"
    if seen.weight(predictor) and not seen.available(predictor):
        return "no replica is available"
    return ""


def _pod_trouble(pod: Json) -> str:
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _WAITING_BAD:
            ended = (container.get("lastState") or {}).get("terminated") or {}
            detail = ended.get("message") or waiting.get("message") or ""
            return f"{container['name']} {waiting['reason']} {detail}".strip()[:300]
    return ""

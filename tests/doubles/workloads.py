"""Kubernetes' Deployments in `MemoryApi`, played: replicas that take their time to come and to go, and sick ones."""

from __future__ import annotations

from typing import Any

from tests.doubles.api import MemoryApi
from tidegate.kube.client import Json
from tidegate.kube.resources import PODS

_HOLD = "tests/slow-end"


class Workloads:
    """`start` and `end`: seconds until replicas are available, and until a Deployment is gone after its removal."""

    def __init__(self, api: MemoryApi, start: float = 24.0, end: float = 11.0) -> None:
        self.api, self.start, self.end = api, start, end
        self.sick: dict[str, str] = {}
        """Predictor -> why its containers wait (`CrashLoopBackOff`); empty text: only not available."""
        self.restarts: dict[str, int] = {}
        """Deployment -> how often its pods were replaced."""
        self._since: dict[str, tuple[Any, float]] = {}

    def turn(self, now: float) -> None:
        for path, deployment in list(self.api.objects.items()):
            if deployment.get("kind") != "Deployment":
                continue
            meta = deployment["metadata"]
            if meta.get("deletionTimestamp"):
                ended = self._since.setdefault(f"end {meta['uid']}", (None, now))[1]
                if now - ended >= self.end:
                    del self.api.objects[path]
                continue
            meta.setdefault("finalizers", [_HOLD])
            self._status(deployment, now)
        self._pods()

    def _status(self, deployment: Json, now: float) -> None:
        meta, wanted = deployment["metadata"], deployment["spec"].get("replicas", 1)
        template = repr(deployment["spec"]["template"])
        known, since = self._since.get(meta["uid"], (None, now))
        if known != template:
            if known is not None:
                self.restarts[meta["name"]] = self.restarts.get(meta["name"], 0) + 1
            since = now
            self._since[meta["uid"]] = (template, now)
        version = meta["labels"]["version"]
        up = now - since >= self.start
        before = bool((deployment.get("status") or {}).get("availableReplicas")) and not up
        available = 0 if version in self.sick else wanted if up or before else 0
        replicas = wanted + 1 if before and available else wanted
        status = {
            "observedGeneration": meta["generation"],
            "replicas": replicas,
            "updatedReplicas": wanted,
            "availableReplicas": available,
            "unavailableReplicas": replicas - available,
        }
        deployment["status"] = {key: value for key, value in status.items() if value}

    def _pods(self) -> None:
        for path in [path for path, thing in self.api.objects.items() if thing.get("kind") == "Pod"]:
            del self.api.objects[path]
        for deployment in self.api.of_kind("Deployment"):
            meta = deployment["metadata"]
            why = self.sick.get(meta["labels"]["version"], "")
            state = {"waiting": {"reason": why, "message": "back-off"}} if why else {"running": {}}
            pod = {
                "kind": "Pod",
                "metadata": {
                    "name": f"{meta['name']}-0",
                    "labels": meta["labels"],
                    "annotations": deployment["spec"]["template"]["metadata"].get("annotations") or {},
                },
                "spec": deployment["spec"]["template"]["spec"],
                "status": {"podIP": "10.0.0.1", "containerStatuses": [{"name": "classifier", "state": state}]},
            }
            self.api.put_in(PODS.path(meta["namespace"]), pod)


def deployments_of(api: MemoryApi, predictor: str) -> list[Json]:
    return [d for d in api.of_kind("Deployment") if d["metadata"]["labels"]["version"] == predictor]

"""Seldon Core 1.17.1's operator, played: SeldonDeployments become Deployments and a VirtualService, with every habit
of the real one that a rollout has to live with. Works on a real API server and on `MemoryApi`.

- Weights (and new routes) are put in force only while every replica of every Deployment of the SeldonDeployment is
  available; `replicas: 0` counts as unavailable. A predictor that is gone frees what it froze.
- Whether replicas are available is asked BEFORE the Deployments are changed: a weight that comes with a model is in
  force while the old model still answers.
- Metrics ports go by position unless named, HTTP ports by the container's name: pods restart when these move.
- `status.state` lags; a weight of 0 is absent; a name that comes back while its old Deployment ends shows Failed.
- A shadow is a mirror; its label is on the pods, so that becoming a canary restarts them.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

from tidegate.kube.client import Api, ApiError, Json
from tidegate.kube.resources import DEPLOYMENTS, SELDON_DEPLOYMENTS, VIRTUAL_SERVICES


def refused(deployment: Json) -> str:
    """The webhook: the sum of the weights and names that are there twice, and nothing else (120/-20 passes)."""
    predictors = deployment["spec"]["predictors"]
    answering = [p for p in predictors if not p.get("shadow")]
    total = sum(int(p.get("traffic") or 0) for p in answering)
    if len({p["name"] for p in predictors}) < len(predictors):
        return "Duplicate predictor name"
    if len(predictors) - len(answering) > 1:
        return "Multiple shadows are not allowed"
    if len(answering) > 1 and total != 100:
        return "Traffic must sum to 100 for multiple predictors"
    if len(predictors) == 1 and 0 < total < 100:
        return "Traffic must sum be 100 for a single predictor when set"
    return ""


class SeldonDouble:
    """`turn` is one pass over a namespace's SeldonDeployments."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self.violations: list[str] = []

    async def turn(self) -> None:
        items = (await self.api.get(SELDON_DEPLOYMENTS.path(self.namespace)))["items"]
        for item in items:
            with contextlib.suppress(ApiError):  # somebody was faster: next turn
                await self.reconcile(item)

    async def reconcile(self, thing: Json) -> None:
        name, predictors = thing["metadata"]["name"], thing["spec"]["predictors"]
        if why := refused(thing):
            self.violations.append(why)  # where no webhook stands before us
            return
        there = await self._deployments(name)
        wanted = {d["metadata"]["name"]: d for d in self._wanted(thing)}
        available = {n: _available(there[n]) for n in wanted if n in there and not _ending(there[n])}
        failed = [n for n in wanted if n in there and _ending(there[n])]
        for gone in set(there) - set(wanted):
            if not _ending(there[gone]):
                await self.api.delete(DEPLOYMENTS.path(self.namespace, gone))
        for each, deployment in wanted.items():
            await self._ensure(there.get(each), deployment)
        if len(available) == len(wanted) and all(available.values()):
            await self._route(name, predictors)
        await self._status(thing, there, wanted, failed, all(available.values()) and len(available) == len(wanted))

    # ------------------------------------------------------------ Deployments
    def _wanted(self, thing: Json) -> list[Json]:
        made: list[Json] = []
        metrics = 6000
        http: dict[str, int] = {}
        for predictor in thing["spec"]["predictors"]:
            for index, part in enumerate(predictor.get("componentSpecs") or [_prepackaged(predictor)]):
                spec: dict[str, Any] = {**part["spec"], "containers": [dict(c) for c in part["spec"]["containers"]]}
                for container in spec["containers"]:
                    ports = list(container.get("ports") or [])
                    if not any(p.get("name") == "metrics" for p in ports):
                        ports.append({"name": "metrics", "containerPort": metrics, "protocol": "TCP"})
                        metrics += 1
                    port = http.setdefault(container["name"], 9000 + len(http))
                    if not any(p.get("name") == "http" for p in ports):
                        ports.append({"name": "http", "containerPort": port, "protocol": "TCP"})
                    container["ports"] = ports
                    variables = {"PREDICTOR_ID": predictor["name"], "PREDICTIVE_UNIT_ID": container["name"]}
                    if predictor["graph"]["name"] == container["name"] and predictor["graph"].get("parameters"):
                        variables["PREDICTIVE_UNIT_PARAMETERS"] = json.dumps(predictor["graph"]["parameters"])
                    own = [{"name": key, "value": value} for key, value in variables.items()]
                    container["env"] = [*(container.get("env") or []), *own]
                made.append(self._deployment(thing, predictor, index, spec))
        assert len({d["metadata"]["name"] for d in made}) == len(made), "two Deployments share a name"
        return made

    def _deployment(self, thing: Json, predictor: Json, index: int, spec: dict[str, Any]) -> Json:
        owner, key = thing["metadata"]["name"], predictor["name"]
        labels = {
            "seldon-deployment-id": owner,
            "seldon-app": f"{owner}-{key}",
            "version": (predictor.get("labels") or {}).get("version", key),
        }
        if predictor.get("shadow"):
            labels["seldon.io/shadow"] = "true"
        template = {
            "metadata": {"labels": labels, "annotations": dict(predictor.get("annotations") or {})},
            "spec": {"terminationGracePeriodSeconds": 20, **spec},
        }
        containers = "-".join(c["name"] for c in spec["containers"])
        replicas = predictor.get("replicas", thing["spec"].get("replicas", 1))
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": f"{owner}-{key}-{index}-{containers}",
                "namespace": self.namespace,
                "labels": labels,
                "annotations": dict(predictor.get("annotations") or {}),
                "ownerReferences": [_owner(thing)],
            },
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"seldon-app": f"{owner}-{key}"}},
                "template": template,
            },
        }

    async def _ensure(self, there: Json | None, wanted: Json) -> None:
        if there is None:
            await self.api.post(DEPLOYMENTS.path(self.namespace), wanted)
        elif not _ending(there) and not _same(there, wanted):
            old, new = there["spec"]["template"]["metadata"], wanted["spec"]["template"]["metadata"]
            exact = {key: _exact(old.get(key) or {}, new.get(key) or {}) for key in ("labels", "annotations")}
            template = {**wanted["spec"]["template"], "metadata": exact}
            body = {"spec": {**wanted["spec"], "template": template}}
            await self.api.patch(DEPLOYMENTS.path(self.namespace, there["metadata"]["name"]), "merge", body)

    async def _deployments(self, name: str) -> dict[str, Json]:
        query = {"labelSelector": f"seldon-deployment-id={name}"}
        items = (await self.api.get(DEPLOYMENTS.path(self.namespace), query))["items"]
        return {item["metadata"]["name"]: item for item in items}

    # ------------------------------------------------------------ routes and status
    async def _route(self, name: str, predictors: list[Json]) -> None:
        targets, extra = [], {}
        for predictor in predictors:
            target = {"destination": {"host": f"{name}-{predictor['name']}", "subset": predictor["name"]}}
            weight = int(predictor.get("traffic") or 0)
            if predictor.get("shadow"):
                extra = {"mirror": target["destination"]} | ({"mirrorPercentage": {"value": weight}} if weight else {})
            else:
                targets.append(target | ({"weight": weight} if weight else {}))
        prefix = f"/seldon/{self.namespace}/{name}/"
        route = {"match": [{"uri": {"prefix": prefix}}], "rewrite": {"uri": "/"}, "route": targets, **extra}
        spec = {"hosts": ["*"], "gateways": ["seldon-gateway"], "http": [route]}
        path = VIRTUAL_SERVICES.path(self.namespace, name)
        try:
            old = await self.api.get(path)
        except ApiError:
            body = {
                "apiVersion": VIRTUAL_SERVICES.api_version,
                "kind": "VirtualService",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": spec,
            }
            await self.api.post(VIRTUAL_SERVICES.path(self.namespace), body)
            return
        if old["spec"] != spec:
            await self.api.put(path, {**old, "spec": spec})

    async def _status(self, thing: Json, there: Json, wanted: Json, failed: list[str], ready: bool) -> None:
        counts = {
            each: {
                key: value
                for key, value in (
                    ("replicas", (there.get(each, {}).get("status") or {}).get("replicas", 0)),
                    ("availableReplicas", (there.get(each, {}).get("status") or {}).get("availableReplicas", 0)),
                )
                if value
            }
            for each in wanted
        }
        state = "Failed" if failed else "Available" if ready else "Creating"
        status: Json = {"state": state, "deploymentStatus": counts, "replicas": len(wanted)}
        if failed:
            status["description"] = f"object is being deleted: deployments.apps {failed[0]!r} already exists"
        if (thing.get("status") or {}) != status:
            path = SELDON_DEPLOYMENTS.path(self.namespace, thing["metadata"]["name"], "status")
            await self.api.patch(path, "merge", {"status": status})


def _prepackaged(predictor: Json) -> Json:
    node = predictor["graph"]
    initializer = {"name": f"{node['name']}-model-initializer", "args": [node.get("modelUri", ""), "/mnt/models"]}
    return {"spec": {"containers": [{"name": node["name"], "image": "server"}], "initContainers": [initializer]}}


def _owner(thing: Json) -> Json:
    return {
        "apiVersion": thing.get("apiVersion", SELDON_DEPLOYMENTS.api_version),
        "kind": "SeldonDeployment",
        "name": thing["metadata"]["name"],
        "uid": thing["metadata"]["uid"],
        "controller": True,
    }


def _ending(deployment: Json) -> bool:
    return bool(deployment["metadata"].get("deletionTimestamp"))


def _available(deployment: Json) -> bool:
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    return wanted > 0 and not status.get("unavailableReplicas") and status.get("availableReplicas", 0) >= wanted


def _same(there: Json, wanted: Json) -> bool:
    old, new = there["spec"]["template"]["metadata"], wanted["spec"]["template"]["metadata"]
    exact = all((old.get(key) or {}) == (new.get(key) or {}) for key in ("labels", "annotations"))
    return exact and _covers(there["spec"], wanted["spec"])


def _exact(there: Json, wanted: Json) -> Json:
    """A merge patch that leaves what is wanted and nothing else."""
    return {**dict.fromkeys(there), **wanted}


def _covers(there: Any, wanted: Any) -> bool:
    """Everything wanted is there; what the API server's defaults added does not count."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(_covers(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(there, list) and len(there) == len(wanted)
        return same and all(_covers(a, b) for a, b in zip(there, wanted, strict=True))
    return bool(there == wanted)

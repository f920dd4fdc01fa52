"""An operator in a pod with nothing but its rights, SeldonDeployments whose pods are real, and traffic to them.

Seldon's operator and the gateway are played; models, Deployments, weights, metrics and kills are real.
TIDEGATE_E2E_OPERATOR: the operator's image, in the cluster; its Python also runs the models.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.doubles.seldon import SeldonDouble
from tidegate.kube.client import Api, ApiError, Json
from tidegate.kube.resources import DEPLOYMENTS, MODEL_ROLLOUTS, PODS, SELDON_DEPLOYMENTS, VIRTUAL_SERVICES, Resource
from tidegate.operator import crd
from tidegate.operator.rights import LEADING, WORK

IMAGE = os.environ.get("TIDEGATE_E2E_OPERATOR", "docker.io/tidegate/operator:0.1.0")
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 8888,
    "seccompProfile": {"type": "RuntimeDefault"},
}


async def apply(api: Api, collection: str, body: Json) -> None:
    """Create it, or make it what it should be."""
    try:
        await api.post(collection, body)
    except ApiError as error:
        if error.status != 409:
            raise
        path = f"{collection}/{body['metadata']['name']}"
        there = await api.get(path)
        version = {"resourceVersion": there["metadata"]["resourceVersion"]}
        await api.put(path, {**body, "metadata": {**body["metadata"], **version}})


async def install(api: Api) -> None:
    """The CRDs: ours, and Seldon's and Istio's as far as they are missing."""
    await apply(api, CRDS, crd.definition())
    for resource, kind in ((SELDON_DEPLOYMENTS, "SeldonDeployment"), (VIRTUAL_SERVICES, "VirtualService")):
        with contextlib.suppress(ApiError):
            await api.post(CRDS, open_crd(resource, kind))
    for resource in (MODEL_ROLLOUTS, SELDON_DEPLOYMENTS, VIRTUAL_SERVICES):
        for _ in range(60):
            try:
                await api.get(resource.path("default"))
                break
            except ApiError:
                await asyncio.sleep(0.5)


def open_crd(resource: Resource, kind: str) -> Json:
    """A CRD that takes anything."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": kind, "plural": resource.plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {"group": resource.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


async def start_operator(api: Api, namespace: str) -> None:
    """As its manifests do: an account with its rights in this namespace, and one restricted pod."""
    await apply(api, f"/api/v1/namespaces/{namespace}/serviceaccounts", _named("v1", "ServiceAccount"))
    role = {**_named("rbac.authorization.k8s.io/v1", "Role"), "rules": [right.rule for right in (*WORK, *LEADING)]}
    await apply(api, f"{RBAC}/{namespace}/roles", role)
    binding = {
        **_named("rbac.authorization.k8s.io/v1", "RoleBinding"),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": namespace}],
    }
    await apply(api, f"{RBAC}/{namespace}/rolebindings", binding)
    command = ["operator", "-n", namespace, "--gateway", "", "--interval", "1", "--lease-seconds", "4"]
    container = {
        "name": "operator",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["tidegate"],
        "args": [*command, "--log-format", "json"],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 20},
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "10m"}},
        "securityContext": {**RESTRICTED, "readOnlyRootFilesystem": True},
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "operator"}},
        "template": {
            "metadata": {"labels": {"app": "operator"}},
            "spec": {"serviceAccountName": "operator", "terminationGracePeriodSeconds": 5, "containers": [container]},
        },
    }
    await apply(api, DEPLOYMENTS.path(namespace), {**_named("apps/v1", "Deployment"), "spec": spec})


async def kill_operator(api: Api, namespace: str) -> None:
    """Its pod is gone without a word; Kubernetes starts another."""
    pods = (await api.get(PODS.path(namespace), {"labelSelector": "app=operator"}))["items"]
    for pod in pods:
        with contextlib.suppress(ApiError):
            await api.delete(PODS.path(namespace, pod["metadata"]["name"]) + "?gracePeriodSeconds=0")


async def serve(api: Api, namespace: str, name: str, uri: str) -> None:
    """A SeldonDeployment with one predictor."""
    source = (Path(__file__).parent / "model_server.py").read_text()
    script = {**_named("v1", "ConfigMap", "model-server"), "data": {"server.py": source}}
    await apply(api, f"/api/v1/namespaces/{namespace}/configmaps", script)
    environment = {"MODEL_URI": uri, "SELDON_DEPLOYMENT_ID": name}
    container = {
        "name": "model",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/server/server.py"],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "readinessProbe": _probe(1),
        "volumeMounts": [{"name": "server", "mountPath": "/server"}],
        "securityContext": RESTRICTED,
    }
    pod = {"containers": [container], "volumes": [{"name": "server", "configMap": {"name": "model-server"}}]}
    predictor = {
        "name": "default",
        "replicas": 1,
        "graph": {"name": "model", "type": "MODEL"},
        "componentSpecs": [{"spec": pod}],
    }
    body = {**_named(SELDON_DEPLOYMENTS.api_version, "SeldonDeployment", name), "spec": {"predictors": [predictor]}}
    await apply(api, SELDON_DEPLOYMENTS.path(namespace), body)


WRAPPED = """
import numpy as np


class Model:
    def predict(self, X, names, meta=None):
        {body}
        return np.asarray(X) * 2.0
"""
"""A class as Seldon's Python wrapper has it."""


async def serve_class(api: Api, namespace: str, name: str, image: str, versions: dict[str, str]) -> None:
    """A SeldonDeployment of tidegate's own model server, without Seldon's executor. `versions`: folder below /models ->
    what its `predict` does first; the first one is live.
    """
    mounts, volumes = [], []
    for version, body in versions.items():
        config = {**_named("v1", "ConfigMap", f"{name}-{version}"), "data": {"Model.py": WRAPPED.format(body=body)}}
        await apply(api, f"/api/v1/namespaces/{namespace}/configmaps", config)
        mounts.append({"name": f"v{version}", "mountPath": f"/models/{version}"})
        volumes.append({"name": f"v{version}", "configMap": {"name": f"{name}-{version}"}})
    container = {
        "name": "model",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "tidegate.serving.server"],
        "env": [{"name": "MODEL_URI", "value": f"/models/{next(iter(versions))}"}],
        "readinessProbe": _probe(2),
        "volumeMounts": mounts,
        "securityContext": RESTRICTED,
    }
    predictor = {
        "name": "default",
        "replicas": 1,
        "annotations": {"seldon.io/no-engine": "true"},
        "graph": {
            "name": "model",
            "type": "MODEL",
            "parameters": [{"name": "python_class", "type": "STRING", "value": "Model"}],
        },
        "componentSpecs": [{"spec": {"containers": [container], "volumes": volumes}}],
    }
    body = {**_named(SELDON_DEPLOYMENTS.api_version, "SeldonDeployment", name), "spec": {"predictors": [predictor]}}
    await apply(api, SELDON_DEPLOYMENTS.path(namespace), body)


async def has_image(api: Api, image: str) -> bool:
    """Whether a node has it."""
    nodes = (await api.get("/api/v1/nodes"))["items"]
    return any(image in (i.get("names") or []) for node in nodes for i in node["status"].get("images") or [])


def rollout(name: str, uri: str, **changes: Any) -> Json:
    """A ModelRollout that is over within a minute."""
    spec = {
        "model": {"uri": uri},
        "target": {"seldonDeployment": {"name": name}},
        "strategy": {"canary": {"steps": [{"weight": 20, "minSeconds": 2}, {"weight": 50, "minSeconds": 2}]}},
        "requirements": [{"name": "errors", "errorRate": True, "atMost": 0.1}],
        "deadlines": {"readySeconds": 120, "evidenceSeconds": 60, "totalSeconds": 300},
        **changes,
    }
    return {**_named(MODEL_ROLLOUTS.api_version, crd.KIND, name), "spec": spec}


def _probe(seconds: int) -> Json:
    """Patient with a busy machine: a slow answer of a model that lives makes it not unavailable."""
    asked = {"path": "/v2/health/ready", "port": 9000}
    return {"httpGet": asked, "periodSeconds": seconds, "timeoutSeconds": 10, "failureThreshold": 6}


def _named(version: str, kind: str, name: str = "operator") -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


class Gateway:
    """Sends requests where the VirtualService says, to pods that are ready, and counts what is not answered."""

    def __init__(self, api: Api, namespace: str, rate: float, path: str, content: bytes) -> None:
        self._api, self._namespace, self._rate = api, namespace, rate
        self._path, self._content = path, content
        self._weights: dict[str, dict[str, int]] = {}
        self._mirrors: dict[str, tuple[str, float]] = {}
        self._pods: dict[tuple[str, str], list[str]] = {}
        self._client = httpx.AsyncClient(timeout=20.0, trust_env=False)
        self.answered: Counter[tuple[str, int]] = Counter()
        self.lost: Counter[tuple[str, str]] = Counter()

    async def watch(self) -> None:
        while True:
            with contextlib.suppress(ApiError):
                services = (await self._api.get(VIRTUAL_SERVICES.path(self._namespace)))["items"]
                pods = (await self._api.get(PODS.path(self._namespace), {"labelSelector": "seldon-app"}))["items"]
                self._weights = {s["metadata"]["name"]: _weights(s) for s in services}
                self._mirrors = {s["metadata"]["name"]: _mirror(s) for s in services}
                found: dict[tuple[str, str], list[str]] = {}
                for pod in filter(_ready, pods):
                    labels = pod["metadata"]["labels"]
                    key = (labels["seldon-deployment-id"], labels["version"])
                    found.setdefault(key, []).append(pod["status"]["podIP"])
                self._pods = found
            await asyncio.sleep(0.2)

    async def send(self) -> None:
        waiting: set[asyncio.Task[None]] = set()
        while True:
            for name, weights in self._weights.items():
                if sum(weights.values()):
                    task = asyncio.create_task(self._request(name, weights))
                    waiting.add(task)
                    task.add_done_callback(waiting.discard)
            await asyncio.sleep(1 / self._rate)

    async def _request(self, name: str, weights: dict[str, int]) -> None:
        (predictor,) = random.choices(list(weights), list(weights.values()))
        shadow, percent = self._mirrors.get(name, ("", 0.0))
        if random.uniform(0, 100) < percent and (shadows := self._pods.get((name, shadow))):
            with contextlib.suppress(httpx.HTTPError):  # whose answer nobody waits for
                await self._ask(random.choice(shadows))
        for _ in range(2):  # as Istio's default retries have it
            addresses = self._pods.get((name, predictor))
            if not addresses:
                break
            with contextlib.suppress(httpx.HTTPError):
                answer = await self._ask(random.choice(addresses))
                self.answered[name, answer.status_code] += 1
                return
        self.lost[name, predictor] += 1

    async def _ask(self, address: str) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return await self._client.post(f"http://{address}:9000{self._path}", content=self._content, headers=headers)

    async def close(self) -> None:
        await self._client.aclose()


def _weights(service: Json) -> dict[str, int]:
    targets = service["spec"]["http"][0]["route"]
    weights = {t["destination"]["subset"]: int(t.get("weight") or 0) for t in targets}
    return dict.fromkeys(weights, 100) if len(weights) == 1 else weights


def _mirror(service: Json) -> tuple[str, float]:
    route = service["spec"]["http"][0]
    percent = (route.get("mirrorPercentage") or {}).get("value", 100.0)
    return ((route.get("mirror") or {}).get("subset", ""), float(percent) if route.get("mirror") else 0.0)


def _ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


@asynccontextmanager
async def going(
    api: Api, namespace: str, rate: float = 20.0, path: str = "/v2/models/model/infer", content: bytes = b"{}"
) -> AsyncIterator[Gateway]:
    """Seldon's operator and the gateway at work."""
    double, gateway = SeldonDouble(api, namespace), Gateway(api, namespace, rate, path, content)

    async def seldon() -> None:
        while True:
            with contextlib.suppress(ApiError):
                await double.turn()
            await asyncio.sleep(0.25)

    tasks = [asyncio.create_task(each) for each in (seldon(), gateway.watch(), gateway.send())]
    try:
        yield gateway
        assert not double.violations
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await gateway.close()

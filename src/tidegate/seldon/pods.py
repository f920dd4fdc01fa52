"""Where a SeldonDeployment's pods give their metrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.rollout.observation import CANARY, STABLE
from tidegate.seldon.predictors import METRICS_PORT, VERSION, Predictor, version_label
from tidegate.seldon.seen import Seen

EXECUTOR_PORT = 8000
_PATH = "/prometheus"
_NO_ENGINE = "seldon.io/no-engine"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A page of metrics: the executor's or the model server's of one pod."""

    url: str
    pod: str
    predictor: str
    version: str
    executor: bool


def roles(seen: Seen) -> dict[str, str]:
    """Predictor -> role."""
    named = {str(seen.stable["name"]): STABLE}
    return named | ({str(seen.canary["name"]): CANARY} if seen.canary is not None else {})


def has_executors(seen: Seen) -> bool:
    """Whether Seldon's executor stands before the models. Both predictors have it or neither, since one is a copy."""
    return str((seen.stable.get("annotations") or {}).get(_NO_ENGINE, "")).lower() != "true"


def pods(seen: Seen) -> dict[str, str]:
    """Pod -> predictor, of those that run."""
    return {str(pod["metadata"]["name"]): str(predictor["name"]) for pod, predictor in _running(seen)}


def endpoints(seen: Seen) -> list[Endpoint]:
    """Of every pod that runs: the executor's page, and the model server's where its port is named `metrics`."""
    found = []
    for pod, predictor in _running(seen):
        address, name = str(pod["status"]["podIP"]), str(pod["metadata"]["name"])
        address = f"[{address}]" if ":" in address else address
        path = (pod["metadata"].get("annotations") or {}).get("prometheus.io/path", _PATH)
        version = str((predictor.get("annotations") or {}).get(VERSION, ""))
        if has_executors(seen):
            url = f"http://{address}:{EXECUTOR_PORT}{path}"
            found.append(Endpoint(url, name, str(predictor["name"]), version, executor=True))
        for port in _metrics_ports(pod):
            url = f"http://{address}:{port}{path}"
            found.append(Endpoint(url, name, str(predictor["name"]), version, executor=False))
    return found


def _running(seen: Seen) -> list[tuple[Mapping[str, Any], Predictor]]:
    predictors = [seen.stable] + ([seen.canary] if seen.canary is not None else [])
    named = {version_label(predictor): predictor for predictor in predictors}
    found = []
    for pod in seen.pods:
        predictor = named.get((pod["metadata"].get("labels") or {}).get("version", ""))
        status = pod.get("status") or {}
        if predictor is not None and status.get("podIP") and status.get("phase", "Running") == "Running":
            found.append((pod, predictor))
    return found


def _metrics_ports(pod: Mapping[str, Any]) -> list[int]:
    named = [
        int(port.get("containerPort", METRICS_PORT))
        for container in (pod.get("spec") or {}).get("containers") or []
        for port in container.get("ports") or []
        if port.get("name") == "metrics"
    ]
    return sorted(set(named))

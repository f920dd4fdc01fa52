"""A SeldonDeployment's predictors as data: where a predictor's model stands, and predictors with another one. Pure.

Nothing given is changed: whoever changes a predictor gets a new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tidegate.rollout.ports import PortError

Predictor = Mapping[str, Any]

IMAGE = "docker://"
"""A model that is an image, as Seldon's Python wrapper makes them: `docker://registry/name:tag`."""
MODEL_URI, MODEL_VERSION, MODEL_DIGEST = "MODEL_URI", "MODEL_VERSION", "MODEL_DIGEST"
"""What tells a container of one's own (`graph` without `implementation`) what to load, in tidegate's server's words."""
_URIS = (MODEL_URI, "MLSERVER_MODEL_URI")
"""The last is plain MLServer's; a container that has it keeps it."""
ROLE = "tidegate.io/role"
MODEL = "tidegate.io/model"
VERSION = "version"
"""The predictor's annotation that Seldon's executor gives to its metrics as `predictor_version`."""
METRICS_PORT = 6000
_OWN = {"", "UNKNOWN_IMPLEMENTATION"}
_NAMED_ONCE = ("seldon.io/svc-name",)


@dataclass(frozen=True, slots=True)
class Served:
    """A model as a predictor serves it."""

    uri: str
    digest: str = ""
    version: str = ""

    @property
    def named(self) -> str:
        """The version, or what the uri ends in."""
        return self.version or self.uri.rstrip("/").rpartition("/")[2][-63:]


def canary_name(model: Served) -> str:
    """Another model, another name: a Deployment that still ends never stands in the way of the next."""
    return "canary-" + hashlib.sha256(f"{model.uri} {model.digest}".encode()).hexdigest()[:8]


def is_canary(predictor: Predictor) -> bool:
    return bool((predictor.get("annotations") or {}).get(ROLE) == "canary")


def version_label(predictor: Predictor) -> str:
    """The pods' label `version`, by which Istio's subset and we tell predictors apart; Seldon's default is the name."""
    return str((predictor.get("labels") or {}).get("version") or predictor["name"])


def model_of(predictor: Predictor, container: str = "") -> str:
    """The uri of the model that the predictor serves, empty where it cannot be told.

    `container` names the graph's node (and container) that serves; by default the graph's root.
    """
    node = _node(predictor, container)
    spec = _container(predictor, node["name"])
    if node.get("modelUri"):
        return str(node["modelUri"])
    named = {v["name"]: v.get("value", "") for v in (spec or {}).get("env") or []}
    said = next((str(named[name]) for name in _URIS if named.get(name)), "")
    return said or (IMAGE + str(spec["image"]) if spec and spec.get("image") else "")


def with_model(predictor: Predictor, model: Served, container: str = "") -> dict[str, Any]:
    """The predictor, serving `model`: as an image, by `modelUri` of a prepackaged server, or by a variable.

    Raises: PortError where the predictor has no such container.
    """
    made: dict[str, Any] = deepcopy(dict(predictor))
    node = _node(made, container)
    spec = _container(made, node["name"])
    if model.uri.startswith(IMAGE):
        if spec is None:
            raise PortError(
                f"predictor {predictor['name']}: model {model.uri} is an image, expected a container "
                f"{node['name']!r} in componentSpecs to take it, found none",
                again=False,
            )
        spec["image"] = model.uri.removeprefix(IMAGE)
    elif str(node.get("implementation") or "") not in _OWN:
        node["modelUri"] = model.uri
    elif spec is not None:
        there = {v["name"] for v in spec.get("env") or []}
        _set_variable(spec, next((name for name in _URIS if name in there), MODEL_URI), model.uri)
    else:
        raise PortError(
            f"predictor {predictor['name']}: expected a prepackaged server (graph.implementation) or a container "
            f"{node['name']!r} in componentSpecs, found neither",
            again=False,
        )
    if spec is not None and str(node.get("implementation") or "") in _OWN:
        _set_variable(spec, MODEL_DIGEST, model.digest)
        _set_variable(spec, MODEL_VERSION, model.named)
    made["annotations"] = {**(made.get("annotations") or {}), MODEL: model.uri, VERSION: model.named}
    return made


def canary_of(stable: Predictor, model: Served, container: str = "") -> dict[str, Any]:
    """A second predictor like the stable one, with no requests yet.

    Containers keep their names (Seldon numbers HTTP ports by them), the metrics port is named (else it goes by position
    and moves with it); what may be there only once (the explainer, a service's own name) stays with the stable one.
    """
    made = with_model(stable, model, container)
    made["name"] = canary_name(model)
    made["labels"] = {**(made.get("labels") or {}), "version": made["name"]}
    made["annotations"] = {k: v for k, v in made["annotations"].items() if k not in _NAMED_ONCE} | {ROLE: "canary"}
    made.pop("explainer", None)
    made.pop("shadow", None)
    made["traffic"] = 0
    if made.get("replicas") == 0:
        made["replicas"] = 1
    for part in made.get("componentSpecs") or []:
        for spec in (part.get("spec") or {}).get("containers") or []:
            ports = spec.get("ports") or []
            if not any(port.get("name") == "metrics" for port in ports):
                spec["ports"] = [*ports, {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}]
    return made


def with_traffic(predictor: Predictor, traffic: int, shadow: bool = False) -> dict[str, Any]:
    """The predictor with that share of the requests, in per cent; of a shadow: of the mirrored ones."""
    made = {**predictor, "traffic": traffic}
    made.pop("shadow", None)
    return {**made, "shadow": True} if shadow else made


def summary(predictors: Sequence[Predictor], container: str = "") -> list[dict[str, Any]]:
    """What a rollout owns of the predictors: which there are, their traffic, and their models."""
    return [
        {
            "name": predictor["name"],
            "traffic": int(predictor.get("traffic") or 0),
            "shadow": bool(predictor.get("shadow")),
            "model": model_of(predictor, container),
        }
        for predictor in predictors
    ]


def _node(predictor: Predictor, name: str) -> dict[str, Any]:
    """Raises: PortError where the graph has no such node."""
    todo = [predictor["graph"]]
    while todo:
        node: dict[str, Any] = todo.pop(0)
        if not name or node["name"] == name:
            return node
        todo += node.get("children") or []
    raise PortError(
        f"predictor {predictor['name']}: expected a node {name!r} in its graph (target.seldonDeployment.container)",
        again=False,
    )


def _container(predictor: Predictor, name: str) -> dict[str, Any] | None:
    for part in predictor.get("componentSpecs") or []:
        for container in (part.get("spec") or {}).get("containers") or []:
            if container.get("name") == name:
                found: dict[str, Any] = container
                return found
    return None


def _set_variable(container: dict[str, Any], name: str, value: str) -> None:
    """In its place, or at the end. `value` empty: the variable goes."""
    variables = list(container.get("env") or [])
    at = next((index for index, variable in enumerate(variables) if variable["name"] == name), len(variables))
    variables[at : at + 1] = [{"name": name, "value": value}] if value else []
    container["env"] = variables
    if not variables:
        container.pop("env", None)

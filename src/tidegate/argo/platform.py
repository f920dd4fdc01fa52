"""kfp-kubernetes' platform spec, and a component's resources, as fields of Argo's templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tidegate.argo.options import Options
from tidegate.graph.work import Container

_DYNAMIC = ("taskOutputParameter", "componentInputParameter")
_VOLUMES = {
    "secretAsVolume": ("secretName", "secret", "secretName"),
    "configMapAsVolume": ("configMapName", "configMap", "name"),
}


def pod(container: Container, options: Options) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The template's fields for the pod, and the container's volume mounts."""
    said, policy = container.platform, options.pods
    fields: dict[str, Any] = {}
    labels = {**policy.labels, **_mapping(said, "podMetadata", "labels")}
    annotations = {**policy.annotations, **_mapping(said, "podMetadata", "annotations")}
    if labels or annotations:
        fields["metadata"] = ({"labels": labels} if labels else {}) | (
            {"annotations": annotations} if annotations else {}
        )
    if selector := {**policy.node_selector, **_mapping(said, "nodeSelector", "labels")}:
        fields["nodeSelector"] = selector
    if tolerations := [*map(dict, policy.tolerations), *map(_toleration, _list(said, "tolerations"))]:
        fields["tolerations"] = tolerations
    if affinity := _affinity(said):
        fields["affinity"] = affinity
    volumes, mounts = _volumes(said)
    if volumes:
        fields["volumes"] = volumes
    return fields, mounts


def env(container: Container, options: Options) -> list[dict[str, Any]]:
    """Variables that need no run to be known."""
    found: list[dict[str, Any]] = [{"name": name, "value": _kept(value)} for name, value in options.pods.env.items()]
    found += [{"name": name, "value": _kept(value)} for name, value in container.env.items() if "{{" not in value]
    for each in _list(container.platform, "fieldPathAsEnv"):
        found.append({"name": each["name"], "valueFrom": {"fieldRef": {"fieldPath": each["fieldPath"]}}})
    return found


def resources(container: Container, options: Options) -> dict[str, dict[str, str]]:
    """Those that need no run to be known; the policy's where the component says nothing."""
    found = {}
    for kind, policy in (("requests", options.pods.requests), ("limits", options.pods.limits)):
        said = container.quantities.get(kind, {})
        merged = {**policy, **{name: text for name, text in said.items() if "{{" not in text}}
        if merged:
            found[kind] = {name: _quantity(text) for name, text in merged.items()}
    return found


def pull_secrets(container: Container) -> list[str]:
    return [_constant(each, "secretName") for each in _list(container.platform, "imagePullSecret")]


def pull_policy(container: Container, options: Options) -> str:
    return str(container.platform.get("imagePullPolicy") or options.pods.image_pull_policy)


def security(container: Container) -> dict[str, Any]:
    """The container's own user, where the pipeline gives one."""
    said = container.platform.get("securityContext")
    if not isinstance(said, Mapping):
        return {}
    return {name: int(value) if name != "runAsNonRoot" else value for name, value in said.items()}


def refused(container: Container) -> list[str]:
    """What it asks for that is not to be had here, in words."""
    said = container.platform
    found = []
    for field, (named, _, _) in _VOLUMES.items():
        found += [
            f"{field}: the name comes from the run; give it by name"
            for e in _list(said, field)
            if not _constant(e, named)
        ]
    for each in _list(said, "pvcMount"):
        if any(name in each for name in _DYNAMIC) or not _pvc(each):
            found.append("mount_pvc: the claim's name comes from the run; create the claim before, and give its name")
    if "nodeSelectorJson" in _mapping(said, "nodeSelector"):
        found.append("a node selector that comes from the run; write it out")
    found += [
        "a toleration that comes from the run; write it out"
        for e in _list(said, "tolerations")
        if "tolerationJson" in e
    ]
    found += [
        "an affinity that comes from the run; write it out"
        for e in _list(said, "nodeAffinity")
        if "nodeAffinityJson" in e
    ]
    found += [f"{stub}: volumes are not made by steps; create the claim before, and give its name"
              for stub in ("argostub/createpvc", "argostub/deletepvc") if container.image == stub]  # fmt: skip
    return found


def _volumes(said: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []

    def add(name: str, source: Mapping[str, Any], path: str, **more: Any) -> None:
        volumes.append({"name": name, **source})
        mounts.append({"name": name, "mountPath": path, **more})

    for field, (named, kind, key) in _VOLUMES.items():
        for each in _list(said, field):
            name = _constant(each, named)
            source: dict[str, Any] = {key: name} | ({"optional": True} if each.get("optional") else {})
            add(f"{'secret' if kind == 'secret' else 'config'}-{_label(name)}", {kind: source}, each["mountPath"])
    for each in _list(said, "pvcMount"):
        more = {"subPath": each["subPath"]} if each.get("subPath") else {}
        add(
            f"pvc-{_label(_pvc(each))}", {"persistentVolumeClaim": {"claimName": _pvc(each)}}, each["mountPath"], **more
        )
    for each in _list(said, "emptyDirMounts"):
        source = {name: each[name] for name in ("medium", "sizeLimit") if each.get(name)}
        add(each["volumeName"], {"emptyDir": source}, each["mountPath"])
    for each in _list(said, "genericEphemeralVolume"):
        spec: dict[str, Any] = {
            "accessModes": each.get("accessModes", ["ReadWriteOnce"]),
            "resources": {"requests": {"storage": each["size"]}},
        }
        if each.get("storageClassName"):
            spec["storageClassName"] = each["storageClassName"]
        claim: dict[str, Any] = {"spec": spec}
        if each.get("metadata"):
            claim["metadata"] = dict(each["metadata"])
        add(each["volumeName"], {"ephemeral": {"volumeClaimTemplate": claim}}, each["mountPath"])
    if isinstance(shared := said.get("enabledSharedMemory"), Mapping):
        source = {"medium": "Memory"} | ({"sizeLimit": shared["size"]} if shared.get("size") else {})
        add(str(shared.get("volumeName") or "shm"), {"emptyDir": source}, "/dev/shm")  # noqa: S108
    return volumes, mounts


def _affinity(said: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, dict[str, list[Any]]] = {}
    for each in _list(said, "nodeAffinity"):
        term = {name: each[name] for name in ("matchExpressions", "matchFields") if each.get(name)}
        if weight := each.get("weight"):
            preferred = found.setdefault("nodeAffinity", {}).setdefault(
                "preferredDuringSchedulingIgnoredDuringExecution", []
            )
            preferred.append({"weight": weight, "preference": term})
        else:
            required: Any = found.setdefault("nodeAffinity", {}).setdefault(
                "requiredDuringSchedulingIgnoredDuringExecution",
                {"nodeSelectorTerms": []},  # type: ignore[arg-type]
            )
            required["nodeSelectorTerms"].append(term)
    for each in _list(said, "podAffinity"):
        place = found.setdefault("podAntiAffinity" if each.get("anti") else "podAffinity", {})
        term = {
            "topologyKey": each.get("topologyKey", "kubernetes.io/hostname"),
            "labelSelector": _selector(each, "matchPodLabels", "matchPodExpressions"),
        } | ({"namespaces": each["namespaces"]} if each.get("namespaces") else {})
        if namespaces := _selector(each, "matchNamespaceLabels", "matchNamespaceExpressions"):
            term["namespaceSelector"] = namespaces
        if weight := each.get("weight"):
            place.setdefault("preferredDuringSchedulingIgnoredDuringExecution", []).append(
                {"weight": weight, "podAffinityTerm": term}
            )
        else:
            place.setdefault("requiredDuringSchedulingIgnoredDuringExecution", []).append(term)
    return found


def _selector(said: Mapping[str, Any], labels: str, expressions: str) -> dict[str, Any]:
    return ({"matchLabels": said[labels]} if said.get(labels) else {}) | (
        {"matchExpressions": said[expressions]} if said.get(expressions) else {}
    )


def _toleration(said: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: said[name] for name in ("key", "operator", "value", "effect") if said.get(name)}
    if said.get("tolerationSeconds"):
        found["tolerationSeconds"] = int(said["tolerationSeconds"])
    return found


def _pvc(said: Mapping[str, Any]) -> str:
    return str(said.get("constant") or _constant(said, "pvcName"))


def _constant(said: Mapping[str, Any], name: str) -> str:
    if isinstance(found := said.get(name), str) and found:
        return found
    value = _mapping(said, f"{name}Parameter", "runtimeValue").get("constant")
    return value if isinstance(value, str) else ""


def _mapping(said: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        found = said.get(name)
        said = found if isinstance(found, Mapping) else {}
    return said


def _list(said: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = said.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _kept(value: str) -> str:
    """Kubernetes fills `$(NAME)` in; `$$` is how it leaves a `$`."""
    return value.replace("$", "$$")


def _quantity(text: str) -> str:
    """KFP takes `4G` and `4GB` alike; Kubernetes only the first."""
    return re.sub(r"(?<=[kKMGTPE])B$|(?<=[KMGTPE]i)B$", "", text.strip())


def _label(name: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:50]

"""What a node took and made, as the store records it. Pure.

Every value is in the node's parameters as `argo.wire` writes it; which of them are artifacts the pipeline says, and
where that is not known, their look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tidegate.argo import wire
from tidegate.graph.model import Component
from tidegate.graph.work import Artifact
from tidegate.store.records import ArtifactRecord

_KINDS = {"s3": "s3", "gcs": "gs", "oss": "oss", "azure": "az"}
_DESCRIPTION = {"key", "uri", "digest", "schema_title"}


@dataclass(frozen=True, slots=True)
class Outputs:
    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[ArtifactRecord, ...]] = field(default_factory=dict)


def repository(workflow: Mapping[str, Any]) -> str:
    """The URI below which the workflow's artifacts lie: `s3://bucket`; empty where Argo has not said it yet."""
    ref = (workflow.get("status") or {}).get("artifactRepositoryRef") or {}
    found = ref.get("artifactRepository") or {}
    for kind, scheme in _KINDS.items():
        if said := found.get(kind):
            return f"{scheme}://{said.get('bucket') or said.get('container') or ''}"
    return ""


def outputs_of(node: Mapping[str, Any], component: Component | None, place: str) -> Outputs:
    """What a node gave. component: whose outputs they are. place: see `repository`."""
    parameters: dict[str, Any] = {}
    artifacts: dict[str, tuple[ArtifactRecord, ...]] = {}
    for name, text in _texts(node, "outputs").items():
        if _is_artifact(name, text, component.output_artifacts if component else None):
            if (found := wire.artifacts(text)) is not None:
                artifacts[name] = tuple(_record(each, place) for each in found)
        elif component is None or name in component.output_parameters:
            value = wire.load(text)
            if not isinstance(value, wire.Missing | wire.Filled | wire.Picked):
                parameters[name] = value
    return Outputs(parameters, artifacts)


def inputs_of(
    node: Mapping[str, Any], component: Component | None, place: str
) -> tuple[dict[str, Any], dict[str, tuple[ArtifactRecord, ...]]]:
    """What a node took: values of parameters, and artifacts."""
    parameters: dict[str, Any] = {}
    artifacts: dict[str, tuple[ArtifactRecord, ...]] = {}
    for name, text in _texts(node, "inputs").items():
        if _is_artifact(name, text, component.artifacts if component else None):
            if found := wire.artifacts(text):
                artifacts[name] = tuple(_record(each, place) for each in found)
        elif component is None or name in component.parameters:
            value = wire.load(text)
            if isinstance(value, wire.Filled):
                value = value.constant
            if isinstance(value, wire.Picked):
                value = _picked(value)
            if not isinstance(value, wire.Missing):
                parameters[name] = value
    return parameters, artifacts


def stored(outputs: Outputs) -> dict[str, Any]:
    """As the store keeps a pipeline's outputs."""
    artifacts = {name: [_plain(each) for each in found] for name, found in outputs.artifacts.items()}
    return {"parameters": dict(outputs.parameters), "artifacts": artifacts}


def _plain(record: ArtifactRecord) -> dict[str, Any]:
    """A `graph.work.Artifact`, as `local.codec` writes one."""
    artifact = Artifact(record.name, record.uri, record.type, metadata=record.metadata, digest=record.digest)
    return asdict(artifact)


def _texts(node: Mapping[str, Any], side: str) -> dict[str, str]:
    given = (node.get(side) or {}).get("parameters") or ()
    return {str(each.get("name", "")): str(each.get("value") or "") for each in given}


def _is_artifact(name: str, text: str, declared: Mapping[str, Any] | None) -> bool:
    if declared is not None:
        return name in declared
    try:
        said = wire.load(text)
    except ValueError:
        return False
    return (
        isinstance(said, list)
        and bool(said)
        and all(isinstance(each, Mapping) and each.keys() >= _DESCRIPTION for each in said)
    )


def _record(found: wire.Described, place: str) -> ArtifactRecord:
    artifact = found.artifact
    return ArtifactRecord(
        id=0,
        name=artifact.name,
        type=artifact.schema_title,
        uri=f"{place}/{found.key}" if found.key else artifact.uri,
        digest=artifact.digest,
        size=0,
        metadata=dict(artifact.metadata),
        run="",
        task="",
        created=0.0,
    )


def _picked(found: wire.Picked) -> Any:
    value = found.value
    for step in found.path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return None
    return value

"""What one task does, with every input resolved, and free of any place on disk: the engines' common currency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact as it travels between tasks (KFP's RuntimeArtifact, plus the digest of its content)."""

    name: str
    uri: str
    schema_title: str = "system.Artifact"
    schema_version: str = "0.0.1"
    instance_schema: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    """`sha256:<hex>` of the content at `uri`; empty where the engine cannot read it (a remote URI)."""
    custom_path: str = ""


@dataclass(frozen=True, slots=True)
class ArtifactType:
    """What an output is declared to be."""

    schema_title: str = "system.Artifact"
    schema_version: str = "0.0.1"
    instance_schema: str = ""
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class EnvFrom:
    """An environment variable that a secret or config map of the platform holds."""

    variable: str
    kind: str
    """`secret` or `config map`."""
    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """An executor that runs a command in an image; command and args still hold KFP's placeholders."""

    image: str
    command: tuple[Any, ...]
    args: tuple[Any, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cpu: float = 0.0
    """Cores asked for (the limit where one is set, else the request); 0: not said."""
    memory: int = 0
    """Bytes asked for; 0: not said."""
    accelerators: int = 0
    env_from: tuple[EnvFrom, ...] = ()
    quantities: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """`limits` and `requests` as the IR writes them, by Kubernetes' names (`cpu`, `memory`, `nvidia.com/gpu`); they may
    quote the task's inputs."""
    platform: Mapping[str, Any] = field(default_factory=dict)
    """The Kubernetes platform spec of the executor, as kfp-kubernetes writes it; for engines that make pods."""


@dataclass(frozen=True, slots=True)
class Importer:
    """An executor that brings in an artifact that exists already."""

    uri: str
    type: ArtifactType
    metadata: Mapping[str, Any]
    reimport: bool


@dataclass(frozen=True, slots=True)
class Work:
    """One task, ready to run."""

    path: str
    """The task's place in the pipeline: `train`, `loop/3/train`, `inner/condition-1/train`."""
    component: str
    """The component's own name (`train` for tasks `train`, `train-2`)."""
    executor: Container | Importer
    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)
    artifact_lists: frozenset[str] = frozenset()
    """The inputs of `artifacts` that are declared as lists."""
    output_parameters: Mapping[str, str] = field(default_factory=dict)
    """Name -> IR type (NUMBER_INTEGER, NUMBER_DOUBLE, STRING, BOOLEAN, LIST, STRUCT)."""
    output_artifacts: Mapping[str, ArtifactType] = field(default_factory=dict)
    caching: bool = True
    cache_key: str = ""
    """A custom key (`set_caching_options(True, cache_key=...)`)."""
    timeout: float | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a task made."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)

"""What the store remembers, as plain records: the command line, the report and the library read only these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    id: int
    name: str
    """The output's name."""
    type: str
    """The schema title: `tfx.Examples`, `system.Model`, ..."""
    uri: str
    digest: str
    """`sha256:...`, empty where the content is not on this machine."""
    size: int
    """Bytes."""
    metadata: Mapping[str, Any]
    run: str
    task: str
    """The task that made it, in that run."""
    created: float


@dataclass(frozen=True, slots=True)
class TaskRecord:
    run: str
    path: str
    component: str
    kind: str
    """`task`, `dag`, `loop`, `iteration` or `condition`."""
    state: str
    """A local.events.TaskState."""
    attempt: int = 0
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    cached_from: str = ""
    cache_key: str = ""
    why_missed: str = ""
    """Why the cache did not answer: `first run of this component`, `input examples changed`, ..."""
    error: str = ""
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    log: str = ""
    """Path of the log file."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, tuple[ArtifactRecord, ...]] = field(default_factory=dict)
    outputs: Mapping[str, tuple[ArtifactRecord, ...]] = field(default_factory=dict)
    output_parameters: Mapping[str, Any] = field(default_factory=dict)
    progress: str = ""
    """The last thing the task said of itself, while it runs."""
    folder: str = ""
    """The attempt's folder: log, working folder, outputs."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    id: str
    pipeline: str
    state: str
    """A local.events.RunState; `interrupted` where the engine died and the run can be resumed."""
    created: float
    ended: float | None
    user: str
    engine: str
    """`local`, later `argo`, `kubeflow`."""
    parameters: Mapping[str, Any]
    error: str
    code: str
    """Git commit of the pipeline's folder, with `+changes` where the tree was not clean; empty outside Git."""
    spec: str
    """The compiled pipeline, YAML."""
    command: str = ""
    """What the user typed, so that errors can say how to continue."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[TaskRecord, ...] = ()
    """In order of start; empty in listings."""
    parent: str = ""
    """The run that this one retries."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How the engine was told to run it, so that a resumed run goes on the same way."""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A finished task whose outputs answer for every later task with the same key."""

    key: str
    pipeline: str
    component: str
    run: str
    task: str
    parts: Mapping[str, str]
    """What the key is made of, by name (`image`, `input examples`, ...), so that a miss can be explained."""
    outputs: str
    """The task's outputs, as the engine encodes them."""
    created: float
    used: float


@dataclass(frozen=True, slots=True)
class LineageStep:
    """One artifact in the ancestry (or the offspring) of another."""

    artifact: ArtifactRecord
    depth: int
    """Tasks between the two."""
    neighbour: int
    """The id of the artifact, one step nearer to where the question began, that this one leads to."""
    run: str
    task: str
    """The task between this artifact and its neighbour, and its run."""
    name: str
    """As what that task took this artifact (ancestors), or gave it (descendants)."""

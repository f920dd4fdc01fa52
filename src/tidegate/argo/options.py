"""How a project's pipelines run on Argo: what the compiler needs beside the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate import __version__

NOBODY = 65532


@dataclass(frozen=True, slots=True)
class Pods:
    """What all pods get; a component's own settings go before."""

    run_as_user: int = NOBODY
    """And group. 0: as the images say (then namespaces that enforce `restricted` refuse them)."""
    read_only_root: bool = True
    """For images that have Python: tasks write below /tidegate/work and to /tmp only."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    """Where a component says none."""
    limits: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    priority_class: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A CronWorkflow."""

    cron: str
    timezone: str = "Etc/UTC"
    concurrency: str = "Forbid"
    """Allow, Forbid or Replace."""
    starting_deadline: int = 0
    """Seconds that a start may be late; 0: any."""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    name: str = ""
    """Of the WorkflowTemplate; empty: the pipeline's."""
    namespace: str = ""
    """Empty: where it is applied."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Image pattern -> the image on the cluster; the first that matches. What matches none stays."""
    beside: tuple[str, ...] = ()
    """Patterns of images whose Python is too old (before 3.11) to bring tasks in and out itself."""
    host_image: str = f"tidegate/host:{__version__}"
    """Has tidegate: it runs beside images without Python, and imports artifacts."""
    service_account: str = ""
    storage: str = "s3"
    """The kind of the artifact repository: s3, gcs, oss or azure."""
    repository: str = ""
    """Its URI (`s3://bucket`), so that importers know what lies in it."""
    key_prefix: str = ""
    """Before the keys of artifacts; empty: the pipeline's name."""
    artifact_gc: str = "Never"
    """Never, OnWorkflowDeletion or OnWorkflowCompletion. What is collected answers no cache hit any more."""
    caching: bool = True
    cache_max_age: str = ""
    """As `720h`; empty: for ever."""
    lists: int = 32
    """Artifacts that an input list may have."""
    parallelism: int = 0
    """Pods of one workflow at the same time; 0: no limit."""
    ttl_after_success: int = 0
    """Seconds that a workflow is kept; 0: for ever."""
    ttl_after_failure: int = 0
    pod_gc: str = ""
    """OnPodCompletion, OnPodSuccess, OnWorkflowCompletion or OnWorkflowSuccess; empty: pods stay."""
    deadline: int = 0
    """Seconds of a whole workflow; 0: none."""
    pods: Pods = field(default_factory=Pods)
    schedule: Schedule | None = None

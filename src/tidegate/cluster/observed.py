"""A run on a cluster as it stands, and what every engine on a cluster can do with one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord

ENDS = frozenset({"succeeded", "failed", "cancelled"})
"""States in which a run stays."""
TASK_ENDS = ENDS | {"cached", "skipped"}


class ClusterError(Exception):
    """The cluster cannot do it, or refuses: where, what was expected and found, and what to do, for the user."""


class UnreachableError(ClusterError):
    """The cluster does not answer now. Trying again can help; what runs there goes on."""


class GoneError(ClusterError):
    """The cluster has no such run any more: it was deleted there, or its time to live is over."""


class RefusedError(ClusterError):
    """The run was not sent, since it cannot run there; `problems` has one line for each reason."""

    def __init__(self, problems: tuple[str, ...], where: str) -> None:
        self.problems = problems
        first, *rest = problems
        more = "".join(f"\n{problem}" for problem in rest)
        super().__init__(f"nothing was sent: this cannot run on {where}:\n{first}{more}")


@dataclass(frozen=True, slots=True)
class Observed:
    """A run as its engine tells of it at one moment."""

    state: str
    """`running`, `succeeded`, `failed` or `cancelled`."""
    ended: float | None = None
    """Seconds since the epoch."""
    error: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The pipeline's: `{"parameters": {...}, "artifacts": {...}}`, as the store keeps them."""
    tasks: tuple[TaskRecord, ...] = ()
    """Those that are known so far, in order of start; their artifacts' ids are 0. `folder` and `log` are empty."""
    pods: Mapping[str, str] = field(default_factory=dict)
    """Path -> the pod (or what else the engine finds its log by) of a task's last attempt."""
    notice: str = ""
    """What to tell whoever watches: `waits for a node with 8 cores`, ..."""


class Cluster(Protocol):
    """An engine on a cluster, connected: the effects behind `--on`."""

    def send(self, prepared: Any) -> dict[str, Any]:
        """Start what the engine's `prepare` gave; the answer goes into the run's settings, to find it by.

        Raises: RefusedError before anything is sent; ClusterError, UnreachableError.
        """

    def observe(self, run: RunRecord) -> Observed:
        """Raises: UnreachableError, GoneError, ClusterError."""

    def cancel(self, run: RunRecord, again: bool) -> None:
        """Stop the run; exit tasks still run, unless it is asked `again`. Raises: ClusterError."""

    def log(self, run: RunRecord, task: TaskRecord, pod: str, follow: bool) -> Iterator[bytes]:
        """What the task's container printed; with `follow` on and on until it ends. Raises: ClusterError."""

    def fetch(self, run: RunRecord, artifact: ArtifactRecord, to: Path) -> None:
        """Copy an artifact's content (a file or a folder) from the cluster's storage. Raises: ClusterError."""

    def link(self, run: RunRecord) -> str:
        """Where a browser shows the run; empty where there is no such place."""

"""The scheduler's state: persistent maps, so that an event costs what it changes and old states stay whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from immutables import Map

from tidegate.graph.model import Dag, Task
from tidegate.graph.work import Artifact, Outputs, Work
from tidegate.local.events import RunState, TaskState


@dataclass(frozen=True, slots=True)
class Node:
    """One instance of a task: a leaf, a DAG, a loop or one of its iterations. It exists once it has begun or ended."""

    path: str
    kind: str
    """`task`, `dag`, `condition`, `loop` or `iteration`."""
    task: Task | None
    """None: the root."""
    parent: str
    state: TaskState = TaskState.RUNNING
    error: str = ""
    outputs: Outputs = field(default_factory=Outputs)
    exit: bool = False
    """It, or something around it, runs even after failure: a first cancel lets it be."""
    inputs: Inputs | None = None
    # of a leaf
    work: Work | None = None
    attempt: int = 0
    wake_at: float = 0.0
    # of a DAG, loop or iteration
    dag: Dag | None = None
    waiting: Map[str, int] = field(default_factory=Map)
    """Task -> how many of those it waits for have not ended."""
    left: int = 0
    """Children that have not ended."""
    failed: int = 0
    cancelled: int = 0
    items: tuple[Any, ...] = ()
    opened: int = 0
    """Iterations begun."""

    @property
    def outcome(self) -> TaskState:
        """The end of a DAG or loop all of whose children have ended."""
        if self.failed:
            return TaskState.FAILED
        return TaskState.CANCELLED if self.cancelled else TaskState.SUCCEEDED

    @property
    def said(self) -> str:
        """The error with the path of the task that made it; what a DAG says has one already."""
        from_below = self.kind != "task" and "/" in self.error.split(":")[0]
        return self.error if from_below else f"{self.path}: {self.error}"


@dataclass(frozen=True, slots=True)
class Inputs:
    parameters: Mapping[str, Any]
    artifacts: Mapping[str, tuple[Artifact, ...]]


@dataclass(frozen=True, slots=True)
class Capacity:
    cpu: float
    memory: int
    tasks: int
    """0: no limit of its own."""


@dataclass(frozen=True, slots=True)
class State:
    nodes: Map[str, Node]
    ready: Map[int, str]
    """Leaves that could run, by number, the lowest first; stale entries are passed over."""
    head: int
    tail: int
    free: Capacity
    """What is not in use; `tasks` counts those that run."""
    capacity: Capacity
    names: Mapping[str, str]
    cancels: int = 0
    """1: everything but exit tasks ends; 2: they end as well."""
    ended: RunState | None = None


def join(parent: str, name: str) -> str:
    """The path of a child."""
    return f"{parent}/{name}" if parent else name

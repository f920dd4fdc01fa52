"""What the scheduler is told (events) and what it asks for (actions); both plain data, so a run can be replayed.

`scheduler.advance(graph, state, event) -> (state, actions)` is pure and total: an event that means nothing in a state
(a late answer of a cancelled task) changes nothing. The driver in `engine.py` performs the actions and feeds back what
came of them; every event is in the store before its actions are performed, so a killed run continues by replay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tidegate.graph.work import Outputs, Work


class TaskState(StrEnum):
    """Where a task is; the last five are ends, and each task reaches exactly one of them."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"  # between two attempts
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class RunState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


# ---------------------------------------------------------------- events
@dataclass(frozen=True, slots=True)
class RunStarted:
    at: float
    parameters: Mapping[str, Any]
    cpu: float
    """Cores that tasks may use together."""
    memory: int
    """Bytes that tasks may use together."""
    max_tasks: int = 0
    """Tasks at the same time, at most; 0: as many as cores and memory allow."""
    names: Mapping[str, str] = field(default_factory=dict)
    """KFP's run-time names that constants may quote: `pipeline_job_name`, `pipeline_job_uuid`, ..."""


@dataclass(frozen=True, slots=True)
class TaskSucceeded:
    at: float
    path: str
    attempt: int
    outputs: Outputs
    cached_from: str = ""
    """The run whose outputs these are, when the cache answered."""


@dataclass(frozen=True, slots=True)
class TaskFailed:
    at: float
    path: str
    attempt: int
    error: str
    retriable: bool = True
    """False where trying again cannot help (no environment for the image, say)."""


@dataclass(frozen=True, slots=True)
class RetryDue:
    at: float
    path: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The engine died and is back: whatever was RUNNING is lost and is started again, as the same attempt."""

    at: float


Event = RunStarted | TaskSucceeded | TaskFailed | RetryDue | CancelRequested | Resumed


# ---------------------------------------------------------------- actions
@dataclass(frozen=True, slots=True)
class Start:
    """Run this attempt, or answer it from the cache; ends in TaskSucceeded or TaskFailed."""

    work: Work
    attempt: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop this task's process; ends in TaskFailed (which the scheduler expects)."""

    path: str


@dataclass(frozen=True, slots=True)
class Wake:
    """Send RetryDue(path) at this time."""

    path: str
    at: float


@dataclass(frozen=True, slots=True)
class Settled:
    """A task or a nested DAG came to its end; for those who watch."""

    path: str
    state: TaskState
    error: str = ""
    kind: str = "task"
    """`task`, `dag`, `loop`, `iteration` or `condition`."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    state: RunState
    outputs: Outputs = field(default_factory=Outputs)
    error: str = ""


Action = Start | Stop | Wake | Settled | RunEnded

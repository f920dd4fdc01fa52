"""One attempt of one task, as a process on this machine: what goes in, what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Execution:
    """Everything that a process needs; placeholders are resolved, folders exist."""

    id: str
    """Unique on this machine: `<run>/<path>/<attempt>`."""
    image: str
    command: tuple[str, ...]
    """command and args, joined."""
    env: Mapping[str, str]
    workdir: Path
    """The task's own, empty working folder."""
    log: Path
    """Where stdout and stderr go, appended."""
    progress: Path
    """The file that `TIDEGATE_PROGRESS` names (see components/progress.py)."""
    memory: int = 0
    """Bytes; the task is killed above it. 0: no limit."""
    timeout: float | None = None
    """Seconds."""


class Ending(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    KILLED = "killed"  # by a signal that we did not send
    OUT_OF_MEMORY = "out of memory"
    TIMED_OUT = "timed out"
    STOPPED = "stopped"  # by us
    REFUSED = "refused"  # could not even start: no environment for the image, ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an Execution."""

    ending: Ending
    error: str = ""
    """For people: the last line of the exception, or what happened and what to do."""
    exit_code: int | None = None
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    """Bytes, of the largest process."""
    started: float = 0.0
    ended: float = 0.0
    details: Mapping[str, str] = field(default_factory=dict)


class Executor(Protocol):
    """Runs Executions; `workers.Workers` is the one that does it on this machine."""

    def fingerprint(self, image: str) -> str:
        """Stands for everything the image's environment brings along; part of cache keys.

        Raises: `environments.NoEnvironment`, which says what line to add, for an image with no mapping.
        """
        ...

    async def run(self, execution: Execution) -> Outcome:
        """Run to the end. Never raises for what the task does; cancelling the coroutine stops the task."""
        ...

    async def stop(self, id: str) -> None:
        """Stop that execution: SIGTERM to its process group, SIGKILL after a grace period."""
        ...

    async def close(self) -> None: ...

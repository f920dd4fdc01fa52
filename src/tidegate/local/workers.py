"""Runs Executions on this machine: in warm workers, or (TIDEGATE_WORKERS=off) each in a process started for it."""

from __future__ import annotations

from pathlib import Path

from tidegate.local import environments
from tidegate.local.execution import Execution, Outcome
from tidegate.local.settings import Settings


class Workers:
    """The Executor of this machine (see execution.Executor); used from one asyncio event loop.

    `warm`: None asks TIDEGATE_WORKERS (`off` switches the warm workers off). `runtime`: the folder of the workers'
    sockets, default XDG_RUNTIME_DIR's or /tmp's. `grace`: seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self, settings: Settings, *, warm: bool | None = None, runtime: Path | None = None, grace: float = 5.0
    ) -> None:
        self.settings = settings
        self._warm, self._runtime, self._grace = warm, runtime, grace

    def fingerprint(self, image: str) -> str:
        """Stands for all that the image's environment brings along. Raises: environments.NoEnvironment."""
        return str(environments.resolve(self.settings, image).path)

    async def run(self, execution: Execution) -> Outcome:
        """Run to the end. Never raises for what the task does; cancelling the coroutine stops the task."""
        raise NotImplementedError

    async def stop(self, id: str) -> None:
        """Stop that execution: SIGTERM to its process group, SIGKILL after the grace period."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop what still runs and let go of the workers; they stay warm for the next run."""

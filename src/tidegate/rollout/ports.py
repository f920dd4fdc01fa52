"""What a place that serves models offers to a rollout. One adapter each for this machine and for Seldon Core."""

from __future__ import annotations

from typing import Protocol

from tidegate.rollout.actions import Drop, Prepare, Promote, SetTraffic
from tidegate.rollout.observation import Routing, Series


class PortError(Exception):
    """It could not be done or read now. `again`: whether trying again can help."""

    def __init__(self, message: str, *, again: bool = True) -> None:
        super().__init__(message)
        self.again = again


class Router(Protocol):
    """Who serves, and which share of the requests. All calls may be repeated; none waits until it is in force."""

    async def routing(self) -> Routing:
        """What is really in force. Raises: PortError."""
        ...

    async def perform(self, action: Prepare | SetTraffic | Promote | Drop) -> None:
        """Ask for it. Raises: PortError."""
        ...


class Metrics(Protocol):
    async def read(self) -> tuple[Series, ...]:
        """Every figure of every process, as it stands now. Raises: PortError where none can be read."""
        ...

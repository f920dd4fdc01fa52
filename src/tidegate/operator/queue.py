"""Which rollouts are due: each once in the queue, one turn of each at a time, nothing for those at rest."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

_LOG = logging.getLogger(__name__)


class Key(NamedTuple):
    """A ModelRollout."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Queue:
    """`turn` gives the seconds until the next turn, None: at rest. `workers` turns at once."""

    def __init__(self, turn: Callable[[Key], Awaitable[float | None]], workers: int = 8) -> None:
        self._turn, self._workers = turn, workers
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._busy: set[Key] = set()
        self._again: set[Key] = set()
        self._news = asyncio.Event()
        self.beat = 0.0
        """When a worker last looked, by the loop's clock: a loop that hangs does not."""

    def __contains__(self, key: Key) -> bool:
        return key in self._due or key in self._busy

    def __len__(self) -> int:
        return len(self._due) + len(self._busy)

    def wake(self, key: Key, after: float = 0.0) -> None:
        """Its turn comes in so many seconds, or earlier where that was so already; once more where it is having one."""
        if key in self._busy:
            self._again.add(key)
            return
        at = asyncio.get_running_loop().time() + after
        if self._due.get(key, float("inf")) > at:
            self._due[key] = at
            heapq.heappush(self._heap, (at, key))
            self._news.set()

    def forget(self, key: Key) -> None:
        self._due.pop(key, None)
        self._again.discard(key)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._next()
            self._busy.add(key)
            try:
                after = await self._turn(key)
            except Exception:  # one rollout's trouble is not the others'
                _LOG.exception("%s: a turn failed", key)
                after = 30.0
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                after = 0.0
            if after is not None:
                self.wake(key, after)

    async def _next(self) -> Key:
        loop = asyncio.get_running_loop()
        while True:
            self.beat = loop.time()
            while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
                heapq.heappop(self._heap)  # it was woken earlier, or forgotten
            if self._heap and self._heap[0][0] <= loop.time():
                _, key = heapq.heappop(self._heap)
                del self._due[key]
                return key
            wait = min(5.0, self._heap[0][0] - loop.time()) if self._heap else 5.0
            self._news.clear()
            try:
                async with asyncio.timeout(max(wait, 0.0)):
                    await self._news.wait()
            except TimeoutError:
                pass

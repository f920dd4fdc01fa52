"""Adaptive batching without waiting: while one batch is being computed, what arrives makes the next one.

A lone request is answered at once; under load batches grow by themselves, up to `size` rows. MLServer's own batching
holds every request back for a fixed time instead, which costs that time when there is nothing to batch with.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

Rows = list[bytes]
Answers = Mapping[str, Any]
"""Output -> an array with one entry a row, along its first axis."""


class OverloadedError(Exception):
    """More requests wait than are worth keeping: try again, or elsewhere (HTTP 503)."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    rows: Rows
    answer: asyncio.Future[Answers]


class Batcher:
    """Calls `compute` in a thread of its own, one batch at a time. For one event loop."""

    def __init__(self, compute: Callable[[Rows], Answers], size: int = 64, longest_queue: int = 4096) -> None:
        """size: rows in one batch, at most (a single larger request is computed as it is).
        longest_queue: rows that may wait."""
        self._compute, self._size, self._longest = compute, max(size, 1), longest_queue
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._busy = False
        self._thread = ThreadPoolExecutor(1, "model")

    async def answer(self, rows: Rows) -> Answers:
        """Raises: OverloadedError; what `compute` raises for these rows."""
        if self._rows and self._rows + len(rows) > self._longest:
            raise OverloadedError(f"{self._rows} rows are waiting already; try again in a moment")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(rows, loop.create_future())
        self._waiting.append(waiting)
        self._rows += len(rows)
        if not self._busy:
            self._start(loop)
        return await waiting.answer

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = self._next()
        self._busy = bool(batch)
        if batch:
            self._thread.submit(self._run, loop, batch)

    def _next(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        rows = 0
        while self._waiting and (not batch or rows + len(self._waiting[0].rows) <= self._size):
            one = self._waiting.popleft()
            self._rows -= len(one.rows)
            if not one.answer.done():  # a client that went away needs no answer
                batch.append(one)
                rows += len(one.rows)
        return batch

    def _run(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting]) -> None:
        """In the thread."""
        loop.call_soon_threadsafe(self._tell, loop, _computed(self._compute, batch))

    def _tell(self, loop: asyncio.AbstractEventLoop, found: list[tuple[_Waiting, Answers | Exception]]) -> None:
        self._start(loop)
        for waiting, answer in found:
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)


def _computed(compute: Callable[[Rows], Answers], batch: list[_Waiting]) -> list[tuple[_Waiting, Answers | Exception]]:
    """Each request's share. Where a whole batch fails, each is computed alone: only the culprit gets the error."""
    if len(batch) == 1:
        return [(batch[0], _tried(compute, batch[0].rows))]
    whole = _tried(compute, [row for one in batch for row in one.rows])
    if isinstance(whole, Exception):
        return [(one, _tried(compute, one.rows)) for one in batch]
    found: list[tuple[_Waiting, Answers | Exception]] = []
    at = 0
    for one in batch:
        end = at + len(one.rows)
        found.append((one, {name: values[at:end] for name, values in whole.items()}))
        at = end
    return found


def _tried(compute: Callable[[Rows], Answers], rows: Rows) -> Answers | Exception:
    try:
        return compute(rows)
    except Exception as error:  # given to who asked
        return error

"""An open-loop load generator over HTTP/1.1: requests leave by a fixed schedule, whatever the answers do.

A latency counts from when the request was meant to leave, so a server that stalls cannot hide what it made others wait
(coordinated omission). Raw asyncio protocols, a few kept connections: some 100 us of one core a request.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_TIMEOUT = 30.0


@dataclass(slots=True)
class Sent:
    """What came of the requests so far."""

    latencies: list[float] = field(default_factory=list)
    """Seconds, of those that were answered with 200."""
    statuses: Counter[int] = field(default_factory=Counter)
    """By HTTP status; 0: no answer."""
    served_by: Counter[str] = field(default_factory=Counter)
    lost: list[tuple[float, int, str]] = field(default_factory=list)
    """(seconds since the epoch, status, what was said) of the first hundred that were not answered with 200."""

    @property
    def count(self) -> int:
        return sum(self.statuses.values())

    @property
    def losses(self) -> int:
        return self.count - self.statuses[200]

    def quantile(self, q: float) -> float:
        """Seconds; NaN where none was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


def request(host: str, port: int, path: str, body: bytes, headers: str = "") -> bytes:
    """A POST of JSON, as bytes on the wire. headers: further lines, each ended by CRLF."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class _Connection(asyncio.Protocol):
    """One request at a time; gives (status, x-served-by, body) or None where the connection ended."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, str, bytes] | None] | None = None
        self._transport: asyncio.Transport | None = None
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.open = transport, True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.open = False
        if self._answer and not self._answer.done():
            self._answer.set_result(None)

    def ask(self, data: bytes) -> asyncio.Future[tuple[int, str, bytes] | None]:
        assert self._transport is not None
        self._buffer.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return self._answer

    def close(self) -> None:
        self.open = False
        if self._transport:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._answer is None or self._answer.done():
            return
        head = self._buffer[:end].decode("latin-1").lower()
        length = _header(head, "content-length")
        if len(self._buffer) < end + 4 + int(length or 0):
            return
        if _header(head, "connection") == "close" or not length:
            self.close()
        body = bytes(self._buffer[end + 4 :])
        self._answer.set_result((int(head[9:12]), _header(head, "x-served-by"), body))


def _header(head: str, name: str) -> str:
    at = head.find(f"\r\n{name}:")
    return head[at + len(name) + 3 :].split("\r\n", 1)[0].strip() if at >= 0 else ""


class Load:
    """Sends `requests`, one after the other, again and again, `rate` a second."""

    def __init__(self, host: str, port: int, requests: Sequence[bytes]) -> None:
        self._host, self._port, self._requests = host, port, requests
        self._idle: deque[_Connection] = deque()
        self._going: set[asyncio.Task[None]] = set()
        self._next = 0
        self.sent = Sent()

    async def run(self, rate: float, seconds: float, stop: Callable[[], bool] = lambda: False) -> Sent:
        """Until the time is over or `stop` says so, and the last is answered."""
        await self.leave(rate, seconds, stop)
        while self._going:
            await asyncio.sleep(0.01)
        return self.sent

    async def leave(self, rate: float, seconds: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Send; answers may still be to come."""
        began = time.perf_counter()
        number = 0
        while number < rate * seconds and not stop():
            wait = began + number / rate - time.perf_counter()
            if wait > 0.0005:
                await asyncio.sleep(wait)
            while number < rate * seconds and (meant := began + number / rate) <= time.perf_counter():
                task = asyncio.create_task(self._one(self._requests[self._next % len(self._requests)], meant))
                self._going.add(task)
                task.add_done_callback(self._going.discard)
                number += 1
                self._next += 1

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _one(self, data: bytes, meant: float) -> None:
        answer = None
        try:
            connection = await self._connection()
            try:
                answer = await asyncio.wait_for(connection.ask(data), _TIMEOUT)
            except TimeoutError:
                connection.close()
            if connection.open:
                self._idle.append(connection)
        except OSError:
            pass
        status, served_by, body = answer or (0, "", b"")
        self.sent.statuses[status] += 1
        if served_by:
            self.sent.served_by[served_by] += 1
        if status == 200:
            self.sent.latencies.append(time.perf_counter() - meant)
        elif len(self.sent.lost) < 100:
            self.sent.lost.append((time.time(), status, body[:200].decode("utf-8", "replace")))

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()  # the one used last: the rest may idle and be closed
            if connection.open:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection

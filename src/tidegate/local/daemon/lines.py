"""One end of a connection in an event loop: whole messages in and out, without a task that waits for each."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from . import wire


class Line(asyncio.Protocol):
    """`hear` gets each message, and its body to hand on as it came; `lost` is called once, when the line breaks.

    greeting: what is said first.
    """

    def __init__(
        self,
        hear: Callable[[dict[str, Any], bytes], None],
        lost: Callable[[], None],
        greeting: wire.Message | None = None,
    ) -> None:
        self._hear, self._lost, self._greeting = hear, lost, greeting
        self._frames = wire.Frames()
        self._transport: asyncio.WriteTransport | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def tell(self, message: wire.Message) -> None:
        """Send a message; to a line that has broken, nothing."""
        self.hand_on(wire.encode(message))

    def hand_on(self, packed: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(packed)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    @property
    def socket(self) -> socket.socket:
        """Of an open line."""
        assert self._transport is not None
        return cast(socket.socket, self._transport.get_extra_info("socket"))

    # ------------------------------------------------------------ what asyncio calls
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        if self._greeting is not None:
            self.tell(self._greeting)

    def data_received(self, data: bytes) -> None:
        for body in self._frames.feed(data):
            self._hear(wire.decode(body), body)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._lost()

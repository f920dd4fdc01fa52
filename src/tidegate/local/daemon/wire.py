"""Messages between client, supervisor and zygotes: a length and that much JSON."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import StreamReader  # zygotes do without asyncio

Message = Mapping[str, Any]
_LENGTH = struct.Struct(">I")


def encode(message: Message) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(body)) + body


async def read(stream: StreamReader) -> dict[str, Any]:
    """Raises: asyncio.IncompleteReadError at the end, OSError when the connection breaks."""
    (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
    return _decode(await stream.readexactly(length))


class Inbox:
    """The messages that arrive at a blocking socket, for zygotes, which have no event loop."""

    def __init__(self, source: socket.socket) -> None:
        self._source, self._pending = source, bytearray()

    def receive(self) -> Iterator[dict[str, Any]]:
        """Read once; the messages that are complete. Raises: EOFError when the other side has gone."""
        try:
            part = self._source.recv(1 << 20)
        except ConnectionError:
            part = b""
        if not part:
            raise EOFError
        self._pending += part
        while len(self._pending) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._pending)
            end = _LENGTH.size + length
            if len(self._pending) < end:
                return
            body = bytes(self._pending[_LENGTH.size : end])
            del self._pending[:end]
            yield _decode(body)


def _decode(body: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(body.decode("utf-8", "surrogatepass"))
    return message

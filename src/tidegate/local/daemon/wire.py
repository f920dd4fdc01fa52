"""Messages between client, supervisor and zygotes: a length and that much JSON; to children, that much marshal.

A child has the very interpreter of its zygote, and reads marshal without a line of Python: a forked child pays for
every object that it touches.
"""

from __future__ import annotations

import json
import marshal
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any

Message = Mapping[str, Any]
_LENGTH = struct.Struct(">I")


def encode(message: Message) -> bytes:
    return pack(json.dumps(message, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def decode(body: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(body.decode("utf-8", "surrogatepass"))
    return message


def encode_for_child(message: Message) -> bytes:
    return pack(marshal.dumps(dict(message)))


def pack(body: bytes) -> bytes:
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Cuts what arrives into the bodies of messages."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, part: bytes) -> Iterator[bytes]:
        """The bodies that `part` completes."""
        self._pending += part
        while len(self._pending) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._pending)
            end = _LENGTH.size + length
            if len(self._pending) < end:
                return
            body = bytes(self._pending[_LENGTH.size : end])
            del self._pending[:end]
            yield body


class Inbox:
    """The messages that arrive at a blocking socket, for zygotes, which have no event loop."""

    def __init__(self, source: socket.socket) -> None:
        self._source, self._frames = source, Frames()

    def receive(self) -> Iterator[dict[str, Any]]:
        """Read once; the messages that are complete. Raises: EOFError when the other side has gone."""
        try:
            part = self._source.recv(1 << 20)
        except ConnectionError:
            part = b""
        if not part:
            raise EOFError
        yield from map(decode, self._frames.feed(part))


def receive_as_child(source: socket.socket) -> dict[str, Any]:
    """The one message that a child gets. Raises: EOFError when the other side has gone."""
    (length,) = _LENGTH.unpack(_exactly(source, _LENGTH.size))
    message: dict[str, Any] = marshal.loads(_exactly(source, length))  # noqa: S302 - by our own zygote
    return message


def _exactly(source: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = source.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)

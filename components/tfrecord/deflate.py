"""Gzip on several cores: chunks are deflated independently and joined into ONE member, which every reader takes.

As pigz does it: each chunk ends on a byte boundary (Z_SYNC_FLUSH), so raw deflate streams can follow one another.
The header holds no time and no name: equal content gives equal bytes, however many cores there are.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
LEVEL = 1  # tf.Examples repeat their feature names: level 1 is 4 times faster than 6, for a file a quarter bigger


class GzipWriter:
    """A context manager; `write` takes chunks of some megabytes. The file is at `path` only once it is whole."""

    def __init__(self, path: Path, level: int = LEVEL) -> None:
        self._path, self._level = path, level
        self._part = path.with_name(f".{path.name}.part")
        self._file = self._part.open("wb")
        self._file.write(_HEADER)
        self._crc, self._size = 0, 0
        self._cores = min(4, len(os.sched_getaffinity(0)))
        self._pool = ThreadPoolExecutor(self._cores, thread_name_prefix="deflate")
        self._waiting: deque[Future[bytes]] = deque()

    def write(self, chunk: bytes | memoryview) -> None:
        self._crc = zlib.crc32(chunk, self._crc)
        self._size += memoryview(chunk).nbytes
        self._waiting.append(self._pool.submit(self._deflate, chunk))
        while len(self._waiting) > self._cores:
            self._file.write(self._waiting.popleft().result())

    def _deflate(self, chunk: bytes | memoryview, end: int = zlib.Z_SYNC_FLUSH) -> bytes:
        deflater = zlib.compressobj(self._level, zlib.DEFLATED, -zlib.MAX_WBITS)
        return deflater.compress(chunk) + deflater.flush(end)

    def __enter__(self) -> GzipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for deflated in self._waiting:
                    self._file.write(deflated.result())
                self._file.write(self._deflate(b"", zlib.Z_FINISH))
                self._file.write(struct.pack("<LL", self._crc, self._size & 0xFFFFFFFF))
                self._file.close()
                self._part.replace(self._path)
        finally:
            self._pool.shutdown(cancel_futures=True)
            self._file.close()
            self._part.unlink(missing_ok=True)

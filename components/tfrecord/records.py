"""TFRecord files: each record between its length, the length's checksum and its own checksum (masked CRC-32C).

The format: tensorflow/core/lib/io/record_writer.h. Gzip or plain, told apart by the first bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import google_crc32c
import pyarrow as pa

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord.deflate import GzipWriter

_READ = 1 << 20


class RecordWriter:
    """Writes arrays of serialised records to a gzip TFRecord file, which is at `path` only once it is whole."""

    def __init__(self, path: str | Path) -> None:
        self._gzip = GzipWriter(Path(path))
        self.rows = 0

    def write(self, records: pa.Array) -> None:
        """`records`: binary or large binary, none of them null."""
        parts: list[bytes] = []
        for record in records.to_pylist():
            parts += (_header(len(record)), record, struct.pack("<L", _masked(google_crc32c.value(record))))
        self.rows += len(records)
        self._gzip.write(b"".join(parts))

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gzip.__exit__(kind, error, trace)


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@lru_cache(maxsize=4096)
def _header(size: int) -> bytes:
    length = struct.pack("<Q", size)
    return length + struct.pack("<L", _masked(google_crc32c.value(length)))


def read_records(path: str | Path, batch_rows: int = 16384) -> Iterator[list[bytes]]:
    """The records, in order, in batches.

    Raises: ComponentError for a file that is missing, cut short, or damaged (checksums are compared).
    """
    batch: list[bytes] = []
    held, at, number = b"", 0, 0
    for chunk in _chunks(Path(path)):
        held, at = held[at:] + chunk, 0
        while len(held) - at >= 12:
            size = int.from_bytes(held[at : at + 8], "little")
            if held[at : at + 12] != _header(size):
                raise ComponentError(
                    f"{path}: record {number + 1} has a wrong checksum; not a TFRecord file, or damaged"
                )
            end = at + 16 + size
            if len(held) < end:
                break
            record = held[at + 12 : end - 4]
            if int.from_bytes(held[end - 4 : end], "little") != _masked(google_crc32c.value(record)):
                raise ComponentError(f"{path}: record {number + 1} has a wrong checksum: the file is damaged")
            batch.append(record)
            at, number = end, number + 1
            if len(batch) == batch_rows:
                yield batch
                batch = []
    if at != len(held):
        raise ComponentError(f"{path} is cut short after record {number}; expected whole TFRecords")
    if batch:
        yield batch


def _chunks(path: Path) -> Iterator[bytes]:
    """The file's content, inflated where it is gzip (of one member or several)."""
    try:
        with path.open("rb") as file:
            data = file.read(_READ)
            if not data.startswith(b"\x1f\x8b"):
                while data:
                    yield data
                    data = file.read(_READ)
                return
            yield from _inflated(data, iter(lambda: file.read(_READ), b""))
    except FileNotFoundError:
        raise ComponentError(f"{path} does not exist") from None
    except (zlib.error, EOFError) as error:
        raise ComponentError(f"{path} is not a whole gzip file: {error}") from None


def _inflated(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    inflater, data = zlib.decompressobj(zlib.MAX_WBITS | 16), first
    more = iter(rest)
    while True:
        if inflater.eof and data:
            inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        if data:
            yield inflater.decompress(data)
        data = inflater.unused_data if inflater.eof else b""
        data = data or next(more, b"")
        if not data:
            break
    if not inflater.eof:
        raise EOFError("it ends in mid-stream")

"""The log of requests and their answers, which drift is found in: sampled, of bounded size, never in an answer's way.

One JSON object a line, in files that are closed when they are full; the oldest go when all together are too large:

    {"at": 1785000000.0, "id": "...", "model": "flights", "version": "00003-1f0c9e2ab4d1",
     "inputs": {"carrier": ["UA"], ...} or {"examples": [base64 of a tf.Example, ...]},
     "outputs": {"probability": [0.1]}}
"""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILES = 8  # a full log is about this many files
_QUEUE = 1000  # records that wait for the disk; what comes beyond is dropped and counted


@dataclass(frozen=True, slots=True)
class LogSettings:
    folder: Path
    share: float = 1.0
    """Of requests, in [0, 1]; which ones follows from their ids, so that all replicas and a mirror choose alike."""
    most_bytes: int = 256 * 1024 * 1024
    """Of the whole folder, whoever writes in it."""


def chosen(request_id: str, share: float) -> bool:
    """Whether the request with this id is in the sample."""
    return share >= 1.0 or zlib.crc32(request_id.encode()) < share * 2**32


class PayloadLog:
    """`add` returns at once; a thread writes."""

    def __init__(self, settings: LogSettings, model: str, version: str, process: str) -> None:
        """process: in the files' names, so that replicas may share a folder."""
        self._settings, self._about, self._process = settings, {"model": model, "version": version}, process
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(_QUEUE)
        self.logged = 0
        self.dropped = 0
        settings.folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._write, name="payloads", daemon=True)
        self._thread.start()

    def add(self, at: float, request_id: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """at: seconds since the epoch. Values must not be changed afterwards."""
        if not chosen(request_id, self._settings.share):
            return
        try:
            self._queue.put_nowait({"at": at, "id": request_id, "inputs": inputs, "outputs": outputs})
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, and end."""
        self._queue.put(None)
        self._thread.join(10)

    def _write(self) -> None:
        number = 1
        while True:
            path = self._settings.folder / f"{self._process}-{number:06d}.jsonl"
            try:
                with path.open("ab") as file:
                    if not self._fill(file):
                        return
            except OSError:  # a full or broken disk must not end serving; the next file may be luckier
                self.dropped += 1
                if self._queue.get() is None:
                    return
            number += 1
            self._make_room()

    def _fill(self, file: Any) -> bool:
        """Write until the file is full; False when the log is closed."""
        while file.tell() < self._settings.most_bytes / _FILES:
            record = self._queue.get()
            if record is None:
                return False
            file.write(json.dumps({**record, **self._about}, default=_plain, separators=(",", ":")).encode() + b"\n")
            self.logged += 1
            if self._queue.empty():
                file.flush()
        return True

    def _make_room(self) -> None:
        """The oldest go, of processes that are no more as well, until there is room for another file."""
        found = []
        for path in self._settings.folder.glob("*.jsonl"):
            with contextlib.suppress(FileNotFoundError):  # another process makes room, too
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._settings.most_bytes * (1 - 1 / _FILES):
                break
            path.unlink(missing_ok=True)
            total -= size


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.tolist() if hasattr(value, "tolist") else str(value)

"""Who drives a run: one process at a time holds its lock, and others can tell it to cancel through its control pipe.

The kernel drops the lock with the process, so a run that says `running` and is not held was interrupted.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from tidegate.store.database import StoreError

_LOCK = "engine.lock"
_CONTROL = "control"
_PROBED_SECONDS = 0.5  # `is_held` holds the lock for an instant: an engine that meets it tries again


class RunLock:
    """Held from `__init__` to `close` (or the end of the process)."""

    def __init__(self, folder: Path) -> None:
        """Raises: StoreError where another process drives the run."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + _PROBED_SECONDS
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    pid = os.read(self._file, 32).decode(errors="replace").strip()
                    os.close(self._file)
                    raise StoreError(f"run {folder.name} is being driven by process {pid or '?'} already") from None
                time.sleep(0.01)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        pipe = folder / _CONTROL
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        # Read and write: a pipe with no writer left would otherwise be readable, at its end, for ever.
        self.control = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        """Readable when somebody asks for something; one line for each request."""

    def close(self) -> None:
        os.close(self.control)
        os.close(self._file)


def is_held(folder: Path) -> bool:
    """Whether a living process drives the run in this folder."""
    return is_locked(folder / _LOCK)


def is_locked(path: Path) -> bool:
    """Whether a living process holds this file's lock."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def ask(folder: Path, request: str) -> bool:
    """Send a line to the process that drives the run; False where there is none."""
    if not is_held(folder):
        return False
    try:
        pipe = os.open(folder / _CONTROL, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # none listens any more
        return False
    try:
        os.write(pipe, request.replace("\n", " ").encode()[:4000] + b"\n")
    finally:
        os.close(pipe)
    return True

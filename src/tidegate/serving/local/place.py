"""The folder of one served model: what should be, what is, who keeps it up, and the rollouts.

desired.json   status.json   supervisor.lock   supervisor.log
xds/           Envoy's clusters, endpoints, routes      envoy.json   envoy.log
replicas/ID/N/ settings and log of one process          slices.json  payloads/
rollouts/      see `tidegate.serving.local.rollouts`
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.serving.local.desired import Desired, Status
from tidegate.store.locks import is_locked


class PlaceError(Exception):
    """The folder cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    folder: Path

    @property
    def xds(self) -> Path:
        return self.folder / "xds"

    @property
    def lock(self) -> Path:
        return self.folder / "supervisor.lock"

    @property
    def log(self) -> Path:
        return self.folder / "supervisor.log"

    @property
    def payloads(self) -> Path:
        return self.folder / "payloads"

    @property
    def slices(self) -> Path:
        return self.folder / "slices.json"

    def replica(self, key: str) -> Path:
        return self.folder / "replicas" / key

    def desired(self) -> Desired | None:
        """None where nothing is to be served. Raises: PlaceError."""
        found: Desired | None = self._read("desired.json", Desired.decode)
        return found

    def status(self) -> Status | None:
        """As the supervisor saw it last; None where there was none. Raises: PlaceError."""
        found: Status | None = self._read("status.json", Status.decode)
        return found

    @contextlib.contextmanager
    def changing(self) -> Iterator[Callable[[Desired], None]]:
        """One writer at a time; gives the function that writes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "desired.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lambda desired: write(self.folder / "desired.json", desired.encode())

    def supervised(self) -> bool:
        """Whether a supervisor lives."""
        return is_locked(self.lock)

    def supervise(self, wait: float = 60.0) -> None:
        """Start a supervisor where none lives; it outlives this process. Raises: PlaceError."""
        if self.supervised():
            return
        command = [sys.executable, "-m", "tidegate.serving.local.supervisor", str(self.folder)]
        streams = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        os.posix_spawn(sys.executable, command, os.environ, file_actions=streams, setsid=True)
        deadline = time.monotonic() + wait
        while not self.supervised():
            if time.monotonic() > deadline:
                raise PlaceError(f"the supervisor did not start within {wait:g} s; see {self.log}")
            time.sleep(0.02)

    def _read(self, name: str, decode: Callable[[Any], Any]) -> Any:
        path = self.folder / name
        try:
            return decode(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise PlaceError(f"{path} cannot be read ({error}): stop what runs, then remove the file") from None


def write(path: Path, data: Any) -> None:
    """JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with new.open("w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """The lock at `path`, as long as the block lasts or the process lives; gives False where another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + 0.5  # who only looks whether it is held, holds it for an instant
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    yield False
                    return
                time.sleep(0.02)
        yield True
    finally:
        os.close(file)

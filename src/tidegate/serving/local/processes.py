"""Starting, finding again and ending processes of one place. They bear its mark in their environment: whoever comes
after a killed supervisor finds them by it, so none is lost and none is started twice."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "TIDEGATE_SERVING"
_LOG_BYTES = 4 * 1024 * 1024
_TAIL_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Process:
    """A process, also one that another supervisor started; `started` tells it from a later one of the same number."""

    pid: int
    started: float

    def alive(self) -> bool:
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid)
            return found.create_time() == self.started and found.status() != psutil.STATUS_ZOMBIE
        return False

    def end(self, hard: bool = False) -> None:
        """SIGTERM (hard: SIGKILL) to it and what it started."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL if hard else signal.SIGTERM)


def start(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path, mark: str) -> Process:
    """In a session of its own; mark: `<place>#<key>`."""
    folder.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".old"))
    with log.open("ab") as out:
        made = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**environment, MARK: mark},
            cwd=folder,
            start_new_session=True,
        )
    _MADE[made.pid] = made
    return Process(made.pid, psutil.Process(made.pid).create_time())


_MADE: dict[int, subprocess.Popen[bytes]] = {}
"""Our own children, to be reaped."""


def reap() -> None:
    for pid, made in list(_MADE.items()):
        if made.poll() is not None:
            del _MADE[pid]


def marked(place: Path) -> dict[str, Process]:
    """Key -> process, for all that live and bear the place's mark. Of two with one key, the older."""
    found: dict[str, Process] = {}
    for one in sorted(
        psutil.process_iter(["create_time", "status"]), key=lambda p: p.info["create_time"], reverse=True
    ):
        if one.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        with contextlib.suppress(psutil.Error):
            mark = one.environ().get(MARK, "")
            folder, _, key = mark.rpartition("#")
            if folder == str(place) and os.getpgid(one.pid) == one.pid:
                found[key] = Process(one.pid, one.info["create_time"])
    return found


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now; who is given one and finds it taken asks again."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def tail(log: Path, lines: int = 12) -> str:
    """The end of what a process said, without its chatter."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    said = [line for line in text.splitlines() if line.strip() and not line.startswith("INFO") and "INFO -" not in line]
    return "\n".join(said[-lines:])

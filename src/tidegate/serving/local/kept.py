"""What the supervisor knows of one process that should be, and how it asks whether it answers."""

from __future__ import annotations

import http.client
import os
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tidegate.serving.local.desired import Desired, Replica
from tidegate.serving.local.processes import Process

TURN = 0.1
"""Seconds between two looks."""
_BACKOFF = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before the next start, after so many that failed
_PASSED = ("HOME", "USER", "LOGNAME", "PATH", "LANG", "LC_*", "TZ", "TMPDIR", "SSL_CERT_*", "LD_LIBRARY_PATH")
_PROBE, _PROBE_SECONDS = 2.0, 5.0  # who is ready is asked so often whether it still is


@dataclass(slots=True)
class Kept:
    process: Process | None = None
    seen: Replica | None = None
    failures: int = 0
    """Starts in a row that did not become ready."""
    again_at: float = 0.0
    asked_at: float = 0.0
    probe: Future[bool] | None = None
    """A question under way: a machine that is too busy to answer must not hold up everything else."""
    silent: float = 0.0
    """Since when it has not answered."""
    ending: float = 0.0
    """Since when it is no longer wanted."""
    ended: bool = False

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.alive()

    def gone(self, now: float, failures: int) -> None:
        """It has ended; it may start again after a while, which grows with its failures."""
        self.process, self.probe, self.silent, self.failures = None, None, 0.0, failures
        self.again_at = now + _BACKOFF[min(max(failures - 1, 0), len(_BACKOFF) - 1)]


@dataclass(slots=True)
class Prober:
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, "probe"))

    def asked(self, kept: Kept, port: int, path: str, now: float) -> bool | None:
        """Whether it answers; None where that is not known yet. Asks again when it is time."""
        if kept.probe is not None:
            if not kept.probe.done():
                return None
            answer, kept.probe = kept.probe.result(), None
            return answer
        up = kept.seen is None or kept.seen.ready
        if now - kept.asked_at >= (_PROBE if up else TURN):
            kept.asked_at = now
            kept.probe = self._pool.submit(answers, port, path)
        return None


def answers(port: int, path: str) -> bool:
    return fetch(port, path) is not None


def fetch(port: int, path: str, method: str = "GET", seconds: float = _PROBE_SECONDS) -> str | None:
    """The body of a 200 from a loopback port; None for anything else."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
        return body if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def environment(desired: Desired) -> dict[str, str]:
    """Of the processes: what the runtime asks for, and of our own only the few that any program needs.

    One thread an operation: requests are many and small, and threads that wait for each other cost more than they help.
    """
    return {
        **{name: value for name, value in os.environ.items() if any(fnmatchcase(name, p) for p in _PASSED)},
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        **desired.runtime.env,
    }


def say(text: str) -> None:
    """A line in the supervisor's log."""
    sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
    sys.stdout.flush()

"""Linux's ways to keep hold of processes: who dies with whom, who adopts orphans, what /proc tells."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None)
_prctl, _fflush = _libc.prctl, _libc.fflush  # looked up here, once, not in each child

TOKEN = "TIDEGATE_EXECUTION"  # noqa: S105  (the variable by which a task's descendants are recognised)


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    session: int
    memory: int
    """Resident bytes."""
    zombie: bool


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process as soon as `parent` ends, or at once where it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Descendants whose parents end become this process's children, so that none is lost from sight."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def flush_c_streams() -> None:
    _fflush(None)


def table() -> dict[int, Process]:
    """All processes of the machine, by pid."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := read(int(name))):
            found[process.pid] = process
    return found


def read(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[21]) * _PAGE, fields[0] == b"Z")


def tree(root: int, processes: Mapping[int, Process]) -> set[int]:
    """`root`, its descendants, and whoever else is in the session that it leads."""
    found = {pid for pid, process in processes.items() if process.session == root} | {root}
    while True:
        more = {pid for pid, process in processes.items() if process.parent in found} - found
        if not more:
            return found
        found |= more


def resident(pid: int) -> int:
    """Bytes; 0 when the process has gone. Several times faster than `read`."""
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def anonymous() -> int:
    """Bytes of this process that no file backs: what a child has from the beginning."""
    with open("/proc/self/status", "rb") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"RssAnon:")), 0)


def proportional(pids: Iterable[int]) -> int:
    """Bytes that these processes use together, pages that they share counted once (and shared with others, in part)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith((b"Pss:", b"SwapPss:")))
    return total


def owner(pid: int) -> str | None:
    """The token in the environment that the process was started with."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    mark = TOKEN.encode() + b"="
    return next((line[len(mark) :].decode("utf-8", "replace") for line in variables if line.startswith(mark)), None)


def send(pid: int, number: int) -> None:
    """Signal the process group that `pid` leads, or the process alone while it leads none yet."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    except PermissionError:
        pass


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def out_of_memory_kills() -> int:
    """How often the kernel has killed for want of memory: in this process's cgroup, or on the whole machine."""
    with contextlib.suppress(OSError, ValueError, StopIteration), open("/proc/self/cgroup") as file:
        place = next(line for line in file if line.startswith("0::")).strip()[3:].lstrip("/")
        with open(os.path.join("/sys/fs/cgroup", place, "memory.events")) as events:
            return counter(events, "oom_kill")
    with contextlib.suppress(OSError, ValueError), open("/proc/vmstat") as statistics:
        return counter(statistics, "oom_kill")
    return 0


def counter(lines: Iterable[str], name: str) -> int:
    """The value of `name` in lines of `name value`. Raises: ValueError where it is missing."""
    for line in lines:
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    raise ValueError(name)

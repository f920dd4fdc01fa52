"""What the machine has for tasks, who runs them, and which code they come from."""

from __future__ import annotations

import getpass
import os
import subprocess
from pathlib import Path

_CGROUP_MEMORY = Path("/sys/fs/cgroup/memory.max")
_GIT_SECONDS = 5.0


def cores() -> float:
    """Cores this process may use."""
    return float(len(os.sched_getaffinity(0)))


def memory() -> int:
    """Bytes of memory: the container's limit where there is one, else the machine's."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(whole, int(_CGROUP_MEMORY.read_text()))
    except (OSError, ValueError):  # no limit, or no cgroups of version 2
        return whole


def user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return str(os.getuid())


def code_version(folder: Path) -> str:
    """The Git commit of `folder`, with `+changes` where files below it are not as committed; empty outside Git."""
    try:
        done = subprocess.run(
            ["git", "-C", folder, "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--", "."],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = done.stdout.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "")
    if commit in ("", "(initial)"):
        return ""
    changed = any(not line.startswith("#") for line in lines)
    return commit + ("+changes" if changed else "")

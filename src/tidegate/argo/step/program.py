"""Runs a task's program in a process of its own, in an image that has Python, as local runs do."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.argo.step import places
from tidegate.local.bootstrap import Function, Install, Program, described
from tidegate.local.daemon import child, endings, processes

_GRACE = 10.0  # seconds between SIGTERM and SIGKILL for a task that ran out of time
_TAIL = 8192  # bytes of the log that are remembered


class CannotInstall(Exception):  # noqa: N818
    """pip could not install what the component asks for."""


@dataclass(frozen=True, slots=True)
class Ended:
    ending: str
    """An `execution.Ending`'s value."""
    error: str


def install(installs: Sequence[Install], env: dict[str, str]) -> None:
    """As the component's bootstrap says, into a folder of the pod's own. Raises: CannotInstall."""
    base = f"{places.HOME}/packages"
    env["PYTHONUSERBASE"] = base
    env["PATH"] = f"{base}/bin{os.pathsep}{env.get('PATH', os.defpath)}"
    for each in installs:
        command = [sys.executable, "-m", "pip", "install", "--user", "--quiet", "--disable-pip-version-check"]
        command += ["--no-warn-script-location", "--no-cache-dir"]
        for option, index in zip(
            ("--index-url", *["--extra-index-url"] * len(each.indexes)), each.indexes, strict=False
        ):
            command += [option, index] if index else []
        for host in each.trusted_hosts:
            command += ["--trusted-host", host]
        command += ["--no-deps"] if not each.dependencies else []
        command += ["--pre"] if each.pre else []
        ran = subprocess.run([*command, *each.requirements], env=env, capture_output=True, text=True, check=False)
        sys.stdout.write(ran.stdout + ran.stderr)
        sys.stdout.flush()
        if ran.returncode:
            said = [line for line in ran.stderr.splitlines() if line.strip()]
            raise CannotInstall(f"pip install {' '.join(each.requirements)}: {said[-1] if said else ran.returncode}")


def run(program: Program, env: Mapping[str, str], timeout: float | None, memory: int) -> Ended:
    """Run it to its end, however it ends; what it prints goes on to this process's output.

    `timeout`: seconds. `memory`: the container's limit in bytes, for the message; 0: none.
    """
    ours, theirs = socket.socketpair()
    kills = processes.out_of_memory_kills()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            _become(read_end, write_end, env, program)
            code = child.perform(described(program, f"{places.TASK}.code"), theirs)
        finally:
            os._exit(code)
    theirs.close()
    os.close(write_end)
    reported = ""
    timed_out, tail = _watch(pid, read_end, timeout)
    os.close(read_end)
    _, status = os.waitpid(pid, 0)
    with ours, contextlib.suppress(BlockingIOError):
        ours.setblocking(False)
        reported = ours.recv(65536).decode("utf-8", "replace")
    lines = [line.strip() for line in tail.decode("utf-8", "replace").splitlines() if line.strip()]
    short = processes.out_of_memory_kills() > kills
    code = os.waitstatus_to_exitcode(status)
    reason = endings.Reason.TIMED_OUT if timed_out else None
    if short and memory and code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        reason = endings.Reason.OUT_OF_MEMORY
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return Ended(
        *endings.ending(
            code,
            reported,
            reason=reason,
            kernel_short_of_memory=short,
            peak=peak,
            memory=memory,
            timeout=timeout,
            last_line=lines[-1] if lines else "",
        )
    )


def _become(read_end: int, write_end: int, env: Mapping[str, str], program: Program) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setpgid(0, 0)
    os.close(read_end)
    os.dup2(write_end, 1)
    os.dup2(write_end, 2)
    os.close(write_end)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(places.TASK)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(places.RUNNER)]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tidegate"]:
        del sys.modules[name]  # the task gets its image's own
    if isinstance(program, Function) and program.installs:
        import site

        sys.path.append(site.getusersitepackages())
    os.environ.setdefault("_KFP_RUNTIME", "true")


def _watch(pid: int, source: int, timeout: float | None) -> tuple[bool, bytes]:
    """Pass on what the task prints until it ends; whether its time ran out, and the last that it said."""
    tail = b""
    deadline = time.monotonic() + timeout if timeout else None
    stopped = [False]
    timed_out = False

    def forward(number: int, _frame: object) -> None:
        stopped[0] = True
        processes.send(pid, number)

    signal.signal(signal.SIGTERM, forward)
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([source], [], [], 0.05 if _has_ended(pid) else left)
        if ready:
            part = os.read(source, 65536)
            if not part:
                return timed_out, tail
            _pass_on(part)
            tail = (tail + part)[-_TAIL:]
        elif _has_ended(pid):
            return timed_out, tail  # a descendant still holds the other end
        elif deadline is not None and time.monotonic() >= deadline:
            processes.send(pid, signal.SIGKILL if timed_out else signal.SIGTERM)
            timed_out, deadline = True, time.monotonic() + _GRACE


def _has_ended(pid: int) -> bool:
    found = processes.read(pid)
    return found is None or found.zombie


def _pass_on(part: bytes) -> None:
    while part:
        part = part[os.write(1, part) :]

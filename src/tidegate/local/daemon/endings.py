"""What became of a task, from how its process ended and what was done to it. Pure."""

from __future__ import annotations

import signal
from enum import StrEnum


class Reason(StrEnum):
    """Why the supervisor ended a task."""

    STOPPED = "stopped"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"


def ending(
    exit_code: int,
    reported: str,
    *,
    reason: Reason | None = None,
    kernel_short_of_memory: bool = False,
    peak: int = 0,
    memory: int = 0,
    timeout: float | None = None,
    last_line: str = "",
) -> tuple[str, str]:
    """An execution.Ending (its value) and the error.

    exit_code: negative for a signal. reported: what the child itself said of its error. last_line: of its log.
    kernel_short_of_memory: the kernel has killed for want of memory since the task began.
    """
    if reason is Reason.OUT_OF_MEMORY:
        return reason, (
            f"out of memory: the task used {size(peak)}, its limit is {size(memory)}; "
            "raise the limit (set_memory_limit) or give it less data"
        )
    if reason is Reason.TIMED_OUT:
        return reason, f"timed out: the task ran longer than {timeout:g} s"
    if reason is Reason.STOPPED:
        return reason, "stopped"
    if exit_code == 0:
        return "succeeded", ""
    if kernel_short_of_memory and exit_code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return "out of memory", (
            f"out of memory: the kernel killed the task, at {size(peak)}: the machine (or its container) has no more; "
            "run fewer tasks at a time (limits.tasks) or give it less data"
        )
    if exit_code < 0:
        return "killed", f"killed by {_signal(-exit_code)}"
    error = reported or last_line
    return (
        "failed",
        f"{error} (exit status {exit_code})" if error and not reported else error or f"exit status {exit_code}",
    )


def size(count: int) -> str:
    """`1.5 GiB`."""
    value, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def _signal(number: int) -> str:
    names = {
        signal.SIGSEGV: "a segmentation fault",
        signal.SIGABRT: "an abort",
        signal.SIGFPE: "a floating-point fault",
    }
    try:
        name = signal.Signals(number)
    except ValueError:
        return f"signal {number}"
    return f"{names[name]} ({name.name})" if name in names else f"signal {number} ({name.name})"

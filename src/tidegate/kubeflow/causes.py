"""Why a pod of KFP's failed, from its log: Argo's message says no more than `Error (exit code 1)`. Pure."""

from __future__ import annotations

import re

_FATAL = re.compile(r"^F\d{4} \S+\s+\d+ [\w./-]+:\d+\] (.*)$")  # klog, as KFP's driver and launcher write it
_NOISE = re.compile(r'^(?:[IWE]\d{4} |time="|Error: exit status|\s*$)')
_LONGEST = 2000


def cause(log: str) -> str:
    """The last exception's own line (with what follows it), else the driver's last words, else the last line.

    Empty where the log says nothing.
    """
    lines = [line.rstrip() for line in log.splitlines()]
    starts = [at for at, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if starts and (said := _exception(lines[starts[-1] + 1 :])):
        return said[:_LONGEST]
    fatal = [match[1] for line in lines if (match := _FATAL.match(line))]
    if fatal:
        return fatal[-1][:_LONGEST]
    plain = [line for line in lines if not _NOISE.match(line)]
    return plain[-1][:_LONGEST] if plain else ""


def _exception(lines: list[str]) -> str:
    """After the indented frames comes the exception; it may have several lines."""
    at = next((at for at, line in enumerate(lines) if line and not line.startswith(" ")), None)
    if at is None:
        return ""
    found = [lines[at]]
    for line in lines[at + 1 :]:
        if _NOISE.match(line) or _FATAL.match(line):
            break
        found.append(line)
    return "\n".join(found).strip()

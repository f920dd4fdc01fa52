"""Points in time as users type them: `2026-11-20`, `2026-11-20T08:30`, `3h`, `7d`, `now`."""

from __future__ import annotations

import re
from datetime import datetime

from tidegate.cli.failures import CommandError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def moment(text: str, now: float, option: str) -> float:
    """Seconds since the epoch; a length such as `3h` counts back from `now`. Raises: CommandError naming the option."""
    said = text.strip()
    if said == "now":
        return now
    if length := re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", said):
        return now - float(length[1]) * _UNITS[length[2]]
    try:
        return datetime.fromisoformat(said).timestamp()
    except (ValueError, OverflowError):
        raise CommandError(
            f"{option} {text!r} is no time",
            expected="a date (2026-11-20), a date and time (2026-11-20T08:30), or how long ago (45m, 3h, 7d, 2w)",
        ) from None

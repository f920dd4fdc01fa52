"""Numbers and times as people read them."""

from __future__ import annotations

import time
from typing import Any

from tidegate.report.reading import number


def amount(value: Any, digits: int = 4) -> str:
    """1234.5678 -> `1,235`, 0.73049 -> `0.7305`; a dash for what is no number."""
    given = number(value)
    if given is None:
        return "–"
    if given and abs(given) < 10**-digits:
        return f"{given:.1e}"
    if given.is_integer() or abs(given) >= 1000:
        return f"{given:,.0f}"
    return f"{given:.{digits}g}"


def share(value: Any) -> str:
    given = number(value)
    return "–" if given is None else f"{100 * given:.1f} %"


def seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} min"


def size(value: float | None) -> str:
    if not value:
        return "–"
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def moment(value: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(value)) if value else "–"


def short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]

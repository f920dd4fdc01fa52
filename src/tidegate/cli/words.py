"""Times, sizes and counts, as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def seconds(value: float | None) -> str:
    """`0.4s`, `12s`, `3m 05s`, `1h 02m`; empty for None."""
    if value is None:
        return ""
    if value < 9.95:
        return f"{max(value, 0):.1f}s"
    whole = round(value)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h {minutes:02d}m"
    return f"{hours // 24}d {hours % 24:02d}h"


def size(value: int) -> str:
    """`512 B`, `1.5 KiB`, `2.0 GiB`."""
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{int(amount)} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def count(value: float) -> str:
    """`336,776`; numbers that are not whole keep four significant digits."""
    if isinstance(value, int) or value.is_integer():
        return f"{int(value):,}"
    return number(value)


def number(value: float) -> str:
    """At most five significant digits."""
    return f"{value:.5g}"


def when(at: float | None) -> str:
    """Local time to the second: `2026-11-21 06:58:12`."""
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S") if at is not None else ""


def clock(at: float) -> str:
    """Local time of day, for log lines: `06:58:12`."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def iso(at: float | None) -> str | None:
    """For machines: UTC, ISO 8601."""
    return (
        datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if at is not None
        else None
    )


def ago(at: float, now: float) -> str:
    """`12s ago`, `5m ago`, `3h ago`, `2d ago`."""
    passed = max(0.0, now - at)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if passed >= length:
            return f"{int(passed // length)}{unit} ago"
    return f"{int(passed)}s ago"


def shown(value: object, limit: int = 60) -> str:
    """A parameter's value on one line, cut to `limit` characters."""
    import json

    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    lines = text.split("\n")
    line = lines[0] if len(lines) == 1 else f"{lines[0]} … ({len(lines)} lines)"
    return line if len(line) <= limit else line[: limit - 1] + "…"


def digest(value: str) -> str:
    """The first twelve hex digits."""
    return value.removeprefix("sha256:")[:12]

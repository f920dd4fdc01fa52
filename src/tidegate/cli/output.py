"""`--output`: the same plain data as JSON, YAML, or a table for people."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from tidegate.cli.terminal import Terminal, stdout


class Format(StrEnum):
    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"

    @property
    def for_machines(self) -> bool:
        return self in (Format.JSON, Format.YAML)


def emit(format: Format, data: Callable[[], Any], people: Callable[[Terminal, bool], Iterable[str]]) -> None:
    """Print `data()` for machines, or the lines of `people(terminal, wide)`."""
    to = stdout()
    if format is Format.JSON:
        to.print(json.dumps(finite(data()), indent=2, ensure_ascii=False, default=str))
    elif format is Format.YAML:
        import yaml

        to.file.write(yaml.safe_dump(finite(data()), sort_keys=False, allow_unicode=True, width=100))
    else:
        to.lines(people(to, format is Format.WIDE))


def finite(value: Any) -> Any:
    """Plain data that every JSON reader takes: NaN and infinities become null, what is not JSON its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)

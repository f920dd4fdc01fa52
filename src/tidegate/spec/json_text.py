"""JSON from outside: what would exhaust the parser or its readers is refused as malformed."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 100
"""As deep as protobuf's own JSON parser goes."""
_MARK = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(text: str, max_depth: int = MAX_DEPTH, *, unique: bool = False) -> Any:
    """The value that the text is. `unique`: an object has each key once.

    Raises: ValueError, also for what is nested too deeply.
    """
    if text.count("[") + text.count("{") > max_depth:
        depth = 0
        for mark in _MARK.finditer(text):
            depth += (mark[0] in ("[", "{")) - (mark[0] in ("]", "}"))
            if depth > max_depth:
                raise ValueError(f"nested deeper than {max_depth} levels")
    value = json.loads(text, object_pairs_hook=_once if unique else None)
    if _SURROGATE.search(text):  # half of a pair is no text: protobuf and files refuse it, each in its own way
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return found

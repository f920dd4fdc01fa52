"""How a component says what it is doing: one line, replaced by the next, shown in the live table of tasks."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

_shown = 0.0


def report(message: str, done: float | None = None, total: float | None = None) -> None:
    """Tell the engine, at most every 0.1 s (the last of a series always): `report("epoch 3/10, loss 0.41", 3, 10)`."""
    global _shown
    target = os.environ.get("TIDEGATE_PROGRESS")
    now = time.monotonic()
    last = done is not None and done == total
    if not target or (now - _shown < 0.1 and not last):
        return
    _shown = now
    said: dict[str, Any] = {"message": message, "done": done, "total": total}
    path = Path(target)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(said), encoding="utf-8")
    new.replace(path)

"""One row of a benchmark: the same work by the rival and by tidegate, measured in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Comparison:
    name: str
    rival: str
    rival_seconds: float
    seconds: float
    aim: float | None = None
    """The ratio to stay under."""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        return self.seconds / self.rival_seconds

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio}


def timed(command: list[str], **environment: str) -> tuple[float, Any]:
    """Run a command to its end. Returns: wall seconds, and the JSON of its last line of output.

    Raises: SystemExit with the command's output if it fails: a benchmark of failed work means nothing.
    """
    began = time.perf_counter()
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | environment
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}")
    return seconds, last_json(done.stdout)


def last_json(text: str) -> Any:
    """The last line that opens a JSON object, to the end of the text."""
    lines = text.strip().splitlines()
    for start in range(len(lines) - 1, -1, -1):
        if lines[start].startswith("{"):
            try:
                return json.loads("\n".join(lines[start:]))
            except json.JSONDecodeError:
                continue
    raise ValueError(f"no JSON in: {text[-500:]}")

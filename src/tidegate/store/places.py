"""Where things are: the project, its store, a run's folders. Names come from pipelines, so none may lead outside."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import datetime
from pathlib import Path

_ROOT_MARKS = ("pyproject.toml", "tidegate.toml", ".git")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_LONGEST = 300  # characters of a task's folder below the run's; file systems stop at 4096 for a whole path


def project_root(start: Path | None = None) -> Path:
    """The nearest folder, from `start` (default: here) up, that holds a mark of a project; else `start`."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if any((folder / mark).exists() for mark in _ROOT_MARKS):
            return folder
    return here


def store_folder(given: str | Path | None = None) -> Path:
    """The store in use: `given` (`--store`), else TIDEGATE_STORE, else `.tidegate` in the project's root."""
    said = given or os.environ.get("TIDEGATE_STORE")
    return Path(said).expanduser().absolute() if said else project_root() / ".tidegate"


def run_id(pipeline: str, at: datetime, random: int) -> str:
    """A readable name that sorts by time within a pipeline: `flights-20261121-065812-3f2a`."""
    plain = re.sub(r"[^a-z0-9]+", "-", pipeline.lower()).strip("-")[:60].strip("-") or "pipeline"
    return f"{plain}-{at:%Y%m%d-%H%M%S}-{random & 0xFFFF:04x}"


def segment(name: str) -> str:
    """`name` as one folder name: itself where it is plain, else a safe form that no other name shares."""
    if _PLAIN.fullmatch(name):
        return name
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60]
    return f"{safe}~{_short(name)}"


def task_folder(run_folder: Path, path: str) -> Path:
    """The folder of the task at `path` (`loop/3/train`), below `run_folder` whatever the names are."""
    inside = "/".join(segment(part) for part in path.split("/"))
    if len(inside) > _LONGEST:
        inside = f"{segment(path.rsplit('/', 1)[-1])}~{_short(path)}"
    return Path(f"{run_folder}/tasks/{inside}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

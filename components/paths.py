"""Paths that a user gives as parameters."""

from __future__ import annotations

import os
from pathlib import Path


def given_path(path: str | Path) -> Path:
    """An absolute path; a relative one counts from the project's folder where the engine names it.

    A task's working folder is its own and empty, so that `models` could mean nothing there.
    """
    return (Path(os.environ.get("TIDEGATE_PROJECT", ".")) / Path(path).expanduser()).resolve()

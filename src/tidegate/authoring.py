"""Helpers for writing pipelines in the KFP DSL."""

from __future__ import annotations

import sys
from pathlib import Path


def module_files(*paths: str | Path) -> dict[str, str]:
    """Read a user module (`preprocessing_fn`, `run_fn`, ...) and the modules it imports, as a pipeline parameter.

    The first path is the module that components import; the others are written beside it. Relative paths count from
    the file of the caller, so that a pipeline compiles to the same bytes from any working directory. Carrying the
    source in a parameter makes it part of every cache key, and lets the pipeline run where no disk is shared.

    Returns: file name -> source text, in the order given.
    Raises: FileNotFoundError naming the path; ValueError if two files share a name.
    """
    caller = Path(sys._getframe(1).f_globals.get("__file__", "")).parent
    sources: dict[str, str] = {}
    for given in paths:
        path = caller / given
        if path.name in sources:
            raise ValueError(f"two module files are both called {path.name!r}; components import them by file name")
        sources[path.name] = path.read_text(encoding="utf-8")
    return sources

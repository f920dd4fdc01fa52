"""A compiled pipeline as a document to bend."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from kfp.compiler import Compiler

from tests.local.pipelines import PIPELINES


@cache
def _documents() -> dict[str, dict[str, Any]]:
    found = {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        for case in PIPELINES:
            Compiler().compile(case.pipeline, str(path))
            found[case.name] = yaml.safe_load(path.read_text())
    return found


def names() -> list[str]:
    return sorted(_documents())


def document(name: str = "chain") -> dict[str, Any]:
    """A copy of the compiled pipeline of that case, as kfp wrote it."""
    return copy.deepcopy(_documents()[name])


def bent(path: str, value: Any, name: str = "chain") -> dict[str, Any]:
    """The document with the value at `a.b.c` replaced; `...` (Ellipsis) removes it."""
    whole = document(name)
    *steps, last = path.split(".")
    there = whole
    for step in steps:
        there = there.setdefault(step, {})
    if value is ...:
        del there[last]
    else:
        there[last] = value
    return whole

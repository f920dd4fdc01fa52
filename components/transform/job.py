"""What is to be transformed, and what came of it: shared by the two ways to do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2


@dataclass(frozen=True, slots=True)
class Job:
    function: Callable[[Any], Any]
    """preprocessing_fn of one argument."""
    schema: schema_pb2.Schema
    paths: Mapping[str, Sequence[Path]]
    """Split -> its files."""
    analyze_splits: Sequence[str]
    graph: Path
    """Where the TransformGraph goes,"""
    examples: Path
    """the transformed examples,"""
    statistics: Path
    """and their statistics."""
    folder: Path
    """For temporary files."""


@dataclass(frozen=True, slots=True)
class Transformed:
    rows: Mapping[str, int]
    """Split -> its rows."""
    features: int
    runner: str
    """`in memory` or `beam`."""
    seconds: Mapping[str, float]
    computed: int = 0
    """Analyzers' accumulators (one a shard) that had to be computed."""
    reused: int = 0
    """... and those that the analyzer cache had."""

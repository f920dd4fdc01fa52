"""What the IR means, once, for all engines: pure, from PipelineSpec to commands, outputs and cache keys.

The names load when first used: reading the IR brings kfp along (half a second), and who only looks at artifacts (the
store, `tidegate runs`) must not pay for it. `build.build` is not among them: a module has that name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.graph.executor_io import (
        OUTPUT_FILE,
        OutputError,
        command_line,
        executor_input,
        read_outputs,
    )
    from tidegate.graph.keys import cache_key, cache_parts, key_of
    from tidegate.graph.model import Component, Dag, Graph, Task
    from tidegate.graph.placeholders import PlaceholderError, path_of
    from tidegate.graph.work import Artifact, ArtifactType, Container, Importer, Outputs, Work

__all__ = [
    "OUTPUT_FILE", "Artifact", "ArtifactType", "Component", "Container", "Dag", "Graph", "Importer", "OutputError",
    "Outputs", "PlaceholderError", "Task", "Work", "cache_key", "cache_parts", "command_line",
    "executor_input", "key_of", "path_of", "read_outputs",
]  # fmt: skip

_MODULES = {
    "executor_io": ("OUTPUT_FILE", "OutputError", "command_line", "executor_input", "read_outputs"),
    "keys": ("cache_key", "cache_parts", "key_of"),
    "model": ("Component", "Dag", "Graph", "Task"),
    "placeholders": ("PlaceholderError", "path_of"),
    "work": ("Artifact", "ArtifactType", "Container", "Importer", "Outputs", "Work"),
}
_LAZY = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

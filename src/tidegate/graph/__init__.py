"""What the IR means, once, for all engines: pure, from PipelineSpec to commands, outputs and cache keys."""

from tidegate.graph.build import build
from tidegate.graph.executor_io import (
    OUTPUT_FILE,
    OutputError,
    command_line,
    executor_input,
    missing_outputs,
    read_outputs,
)
from tidegate.graph.keys import cache_key, cache_parts, key_of
from tidegate.graph.model import Component, Dag, Graph, Task
from tidegate.graph.placeholders import PlaceholderError, path_of
from tidegate.graph.work import Artifact, ArtifactType, Container, Importer, Outputs, Work

__all__ = [
    "OUTPUT_FILE", "Artifact", "ArtifactType", "Component", "Container", "Dag", "Graph", "Importer", "OutputError",
    "Outputs", "PlaceholderError", "Task", "Work", "build", "cache_key", "cache_parts", "command_line",
    "executor_input", "key_of", "missing_outputs", "path_of", "read_outputs",
]  # fmt: skip

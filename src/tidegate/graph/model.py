"""A pipeline's meaning as plain data: tasks, what they wait for, where their inputs come from. Built once per run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.graph.expressions import Expression
from tidegate.graph.work import ArtifactType, Container, Importer


@dataclass(frozen=True, slots=True)
class Constant:
    value: Any


@dataclass(frozen=True, slots=True)
class FromInput:
    """An input of the enclosing DAG."""

    name: str


@dataclass(frozen=True, slots=True)
class FromTask:
    task: str
    output: str


@dataclass(frozen=True, slots=True)
class FinalStatus:
    """What became of another task: KFP's PipelineTaskFinalStatus."""

    task: str


Source = Constant | FromInput | FromTask | FinalStatus


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a task's input comes from; `path` picks inside a JSON value (a loop over a list of objects)."""

    source: Source
    path: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    type: str
    default: Any = None
    has_default: bool = False
    optional: bool = False
    literals: tuple[Any, ...] = ()
    """The only values allowed; empty: any of the type."""


@dataclass(frozen=True, slots=True)
class ArtifactInput:
    type: ArtifactType
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    attempts: int = 0
    """Attempts after the first."""
    backoff: float = 0.0
    """Seconds before the first retry."""
    factor: float = 2.0
    limit: float = 3600.0
    """Seconds, at most."""

    def delay(self, failures: int) -> float:
        """Seconds to wait after this many failures (>= 1)."""
        if self.backoff <= 0:
            return 0.0
        return min(self.limit, self.backoff * self.factor ** min(failures - 1, 64))


@dataclass(frozen=True, slots=True)
class Iteration:
    """ParallelFor: one run of the task's DAG per item."""

    item: str
    """The DAG's input that gets the item."""
    over: Constant | FromInput
    """FromInput: an input of the task itself."""
    artifacts: bool = False
    limit: int = 0
    """Iterations at the same time; 0: no limit."""


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    component: Component
    after: tuple[str, ...] = ()
    """Every task of the same DAG that it waits for, by data or by `.after`."""
    parameters: Mapping[str, Binding] = field(default_factory=dict)
    artifacts: Mapping[str, Binding] = field(default_factory=dict)
    condition: Expression | None = None
    even_after_failure: bool = False
    """Runs once what it waits for has ended, however it ended (exit tasks, ignore_upstream_failure)."""
    iteration: Iteration | None = None
    retry: Retry = Retry()
    caching: bool = False
    cache_key: str = ""
    settings: Mapping[str, Binding] = field(default_factory=dict)
    """Values that only the platform spec reads (the name of a secret that a parameter gives), by placeholder."""


@dataclass(frozen=True, slots=True)
class Dag:
    tasks: Mapping[str, Task]
    """In topological order, ties by name."""
    parameters: Mapping[str, tuple[FromTask, ...]] = field(default_factory=dict)
    """Output -> where it comes from; several: the first that has a value (dsl.OneOf)."""
    artifacts: Mapping[str, tuple[FromTask, ...]] = field(default_factory=dict)

    followers: Mapping[str, tuple[str, ...]] = field(init=False, compare=False, repr=False)
    """Task -> the tasks that wait for it."""

    def __post_init__(self) -> None:
        found: dict[str, list[str]] = {name: [] for name in self.tasks}
        for name, task in self.tasks.items():
            for other in task.after:
                found[other].append(name)
        object.__setattr__(self, "followers", {name: tuple(others) for name, others in found.items()})


@dataclass(frozen=True, slots=True)
class Resources:
    """Quantities as the IR writes them, where they quote the task's inputs (`{{$.inputs.parameters['cpu']}}`)."""

    cpu: str = ""
    memory: str = ""
    accelerators: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    name: str
    """Without KFP's `comp-`."""
    body: Dag | Container | Importer
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    artifacts: Mapping[str, ArtifactInput] = field(default_factory=dict)
    output_parameters: Mapping[str, str] = field(default_factory=dict)
    output_artifacts: Mapping[str, ArtifactType] = field(default_factory=dict)
    timeout: float | None = None
    resources: Resources | None = None
    """Where the run has to fill them in; else the Container has them."""
    task_config: Mapping[str, Any] | None = None
    """What a parameter of type TASK_CONFIG gets: the settings that the component hands on instead of having."""
    size: int = 1
    """Tasks in it, counted with multiplicity and loops as one iteration."""


@dataclass(frozen=True, slots=True)
class Graph:
    name: str
    root: Component
    """Its body is a Dag."""
    ignored: tuple[str, ...] = ()
    """What the platform spec asks for and a local run does not do, for the user to know."""

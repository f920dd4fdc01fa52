"""What is doubtful in a pipeline that would run: pure, on the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tidegate.graph.model import Binding, Component, Constant, Dag, FromInput, FromTask, Graph, Task
from tidegate.graph.work import ArtifactType, Container


class Level(StrEnum):
    ERROR = "error"
    """It will fail, or cannot start here."""
    WARNING = "warning"
    """It is probably not what is meant."""
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    rule: str
    """`unused-output`, `shadowed-name`, `type-mismatch`, `unmapped-image`, `no-memory-limit`, ..."""
    where: str
    """The task's path, or the pipeline's name."""
    message: str


_FOR_PEOPLE = ("Metrics", "ClassificationMetrics", "SlicedClassificationMetrics", "HTML", "Markdown")
"""Types of outputs that nothing needs to read."""
Mapped = Callable[[str], str]
"""Why this machine cannot run an image; empty where it can."""


def lint(graph: Graph, mapped: Mapped) -> list[Finding]:
    """All findings, errors first, then by place."""
    found = [*_images(graph, mapped), *_names(graph), *_unused_parameters(graph)]
    for path, component, dag in _dags(graph):
        found += [*_types(path, component, dag), *_unused_outputs(path, dag)]
    found += [Finding(Level.NOTE, "ignored-setting", graph.name, text) for text in graph.ignored]
    order = list(Level)
    return sorted(found, key=lambda finding: (order.index(finding.level), finding.where, finding.rule))


def _dags(graph: Graph) -> Iterator[tuple[str, Component, Dag]]:
    """Every DAG with its path; the root's is empty."""
    stack = [("", graph.root)]
    while stack:
        path, component = stack.pop()
        if isinstance(component.body, Dag):
            yield path, component, component.body
            stack += [(_at(path, task.name), task.component) for task in component.body.tasks.values()]


def _tasks(graph: Graph) -> Iterator[tuple[str, Task]]:
    for path, _, dag in _dags(graph):
        for task in dag.tasks.values():
            yield _at(path, task.name), task


def _at(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _images(graph: Graph, mapped: Mapped) -> Iterator[Finding]:
    unlimited = []
    for path, task in _tasks(graph):
        container = task.component.body
        if not isinstance(container, Container):
            continue
        if why := mapped(container.image):
            yield Finding(Level.ERROR, "unmapped-image", path, why)
        name = container.image.rpartition("/")[2]
        if "@" not in name and (":" not in name or name.endswith(":latest")):
            message = f"image {container.image!r} has no fixed tag: what runs may change unseen"
            yield Finding(Level.WARNING, "moving-image", path, message)
        if not container.memory:
            unlimited.append(path)
    if unlimited:
        some = ", ".join(unlimited[:6]) + (f" and {len(unlimited) - 6} more" if len(unlimited) > 6 else "")
        message = f"no memory limit (`.set_memory_limit('2Gi')`) on {some}: one task can take all of the machine's"
        yield Finding(Level.NOTE, "no-memory-limit", graph.name, message)


def _names(graph: Graph) -> Iterator[Finding]:
    """The same name at several depths makes `tidegate logs RUN NAME`, and a reader's mind, ambiguous."""
    paths = {path for path, task in _tasks(graph) if not isinstance(task.component.body, Dag)}
    for path in sorted(paths):
        parent, _, name = path.rpartition("/")
        if any(_at(above, name) in paths for above in _above(parent)):
            message = f"a task outside of {parent} has the name {name!r} too: give one of them another"
            yield Finding(Level.WARNING, "shadowed-name", path, message)
    for path, component, dag in _dags(graph):
        for task in dag.tasks.values():
            if task.name in {_plain(name) for name in component.parameters}:
                message = f"the task has the name of a parameter of {path or graph.name}: give one of them another"
                yield Finding(Level.WARNING, "shadowed-name", _at(path, task.name), message)


def _above(path: str) -> Iterator[str]:
    """The DAGs around the one at `path`, up to the root."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _plain(name: str) -> str:
    """As kfp names tasks: `train_model` -> `train-model`."""
    return name.replace("_", "-")


def _unused_parameters(graph: Graph) -> Iterator[Finding]:
    dag = graph.root.body
    used = {name for task in dag.tasks.values() for name in _inputs(task)} if isinstance(dag, Dag) else set()
    for name in graph.root.parameters:
        if name not in used:
            yield Finding(Level.WARNING, "unused-parameter", graph.name, f"no task uses the parameter {name!r}")


def _inputs(task: Task) -> Iterator[str]:
    """The inputs of the enclosing DAG that a task takes."""
    for binding in (*task.parameters.values(), *task.artifacts.values()):
        if isinstance(binding.source, FromInput):
            yield binding.source.name


def _unused_outputs(path: str, dag: Dag) -> Iterator[Finding]:
    used = {(s.task, s.output) for sources in (*dag.parameters.values(), *dag.artifacts.values()) for s in sources}
    for task in dag.tasks.values():
        for binding in (*task.parameters.values(), *task.artifacts.values()):
            if isinstance(binding.source, FromTask):
                used.add((binding.source.task, binding.source.output))
    for task in dag.tasks.values():
        if isinstance(task.component.body, Dag):
            continue
        names = (*task.component.output_parameters, *task.component.output_artifacts)
        idle = [name for name in names if (task.name, name) not in used and not _for_people(task, name)]
        read = any(task.name == name for name, _ in used)
        if idle and read:  # a task of which nothing is read is run for what it does
            yield Finding(Level.NOTE, "unused-output", _at(path, task.name), f"nothing reads {', '.join(sorted(idle))}")


def _for_people(task: Task, output: str) -> bool:
    made = task.component.output_artifacts.get(output)
    return made is not None and made.schema_title.rpartition(".")[2] in _FOR_PEOPLE


def _types(path: str, component: Component, dag: Dag) -> Iterator[Finding]:
    for task in dag.tasks.values():
        at = _at(path, task.name)
        for name, binding in task.parameters.items():
            wanted = task.component.parameters.get(name)
            given = _parameter_type(binding, component, dag)
            if wanted and given and not _meet(given, wanted.type):
                message = f"input {name!r} is {wanted.type}, it gets {given} ({_source(binding)})"
                yield Finding(Level.ERROR, "type-mismatch", at, message)
        for name, binding in task.artifacts.items():
            declared = task.component.artifacts.get(name)
            made = _artifact_type(binding, component, dag)
            if declared and made and not _compatible(made, declared.type):
                message = f"input {name!r} takes {_said(declared.type)}, it gets {_said(made)} ({_source(binding)})"
                yield Finding(Level.WARNING, "type-mismatch", at, message)


def _parameter_type(binding: Binding, component: Component, dag: Dag) -> str:
    """The IR type of what arrives; empty where that is not known before the run."""
    source = binding.source
    if binding.path:
        return ""
    if isinstance(source, FromInput):
        declared = component.parameters[source.name].type if source.name in component.parameters else ""
        untyped = declared == "STRING" and "loop-item" in source.name  # kfp's word for an item of a bare list
        return "" if untyped else declared
    if isinstance(source, FromTask) and source.task in dag.tasks:
        return dag.tasks[source.task].component.output_parameters.get(source.output, "")
    if isinstance(source, Constant) and not isinstance(source.value, str):
        return _constant_type(source.value)
    return ""


def _constant_type(value: object) -> str:
    kinds = ((bool, "BOOLEAN"), (int, "NUMBER_INTEGER"), (float, "NUMBER_DOUBLE"), (list, "LIST"), (dict, "STRUCT"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "")


def _meet(given: str, wanted: str) -> bool:
    numbers = ("NUMBER_INTEGER", "NUMBER_DOUBLE")
    return given == wanted or (given in numbers and wanted in numbers) or "TASK_FINAL_STATUS" in (given, wanted)


def _artifact_type(binding: Binding, component: Component, dag: Dag) -> ArtifactType | None:
    source = binding.source
    if isinstance(source, FromInput):
        return component.artifacts[source.name].type if source.name in component.artifacts else None
    if isinstance(source, FromTask) and source.task in dag.tasks:
        return dag.tasks[source.task].component.output_artifacts.get(source.output)
    return None


def _compatible(made: ArtifactType, wanted: ArtifactType) -> bool:
    generic = ("system.Artifact", "")
    same = made.schema_title == wanted.schema_title or made.schema_title in generic or wanted.schema_title in generic
    return same and made.is_list == wanted.is_list


def _said(type: ArtifactType) -> str:
    title = type.schema_title or "any artifact"
    return f"a list of {title}" if type.is_list else title


def _source(binding: Binding) -> str:
    source = binding.source
    if isinstance(source, FromTask):
        return f"from {source.task}.{source.output}"
    if isinstance(source, FromInput):
        return f"from the input {source.name}"
    return "a constant"

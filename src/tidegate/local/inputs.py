"""Where a task's inputs come from in a run, and what DAGs and loops give on. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from tidegate.graph import placeholders
from tidegate.graph.model import Binding, Component, Constant, Dag, FinalStatus, FromInput, FromTask, Task
from tidegate.graph.work import Artifact, Container, Importer, Outputs, Work
from tidegate.local.events import TaskState
from tidegate.local.state import Inputs, Node, join
from tidegate.spec.pipeline import typed

_NOTHING = object()


class Nodes(Protocol):
    def __getitem__(self, path: str) -> Node: ...


class UnresolvedError(Exception):
    """An input that should be there and is not: the task fails."""


class AbsentError(Exception):
    """An input that was skipped with the task that would have made it: the task is skipped as well."""


def resolve(task: Task, dag: Node, nodes: Nodes, names: Mapping[str, str]) -> Inputs:
    """The values of a task's inputs; optional ones without a value are left out.

    Raises: AbsentError, UnresolvedError, placeholders.PlaceholderError.
    """
    names = {**names, "pipeline_task_name": task.name}
    component = task.component
    parameters: dict[str, Any] = {}
    quoting: list[str] = []
    for name, binding in task.parameters.items():
        value = _parameter(binding, dag, nodes, names)
        if value is _NOTHING:
            declared = component.parameters.get(name)
            if declared is None or not (declared.optional or declared.has_default):
                _complain(name, binding, dag, nodes)
            continue
        if isinstance(binding.source, Constant) and placeholders.quotes(value):
            quoting.append(name)
        if declared := component.parameters.get(name):
            value = typed(value, declared.type)
        parameters[name] = value
    for name in quoting:
        parameters[name] = placeholders.constant(parameters[name], parameters, names)
    item = task.iteration.item if task.iteration is not None else ""
    for name, declared in component.parameters.items():
        if name not in parameters and name != item and declared.has_default:
            parameters[name] = declared.default
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, binding in task.artifacts.items():
        found = _artifacts(binding, dag, nodes)
        if found is not None:
            artifacts[name] = found
        elif name not in component.artifacts or not component.artifacts[name].optional:
            _complain(name, binding, dag, nodes)
    return Inputs(parameters, artifacts)


def work(path: str, task: Task, given: Inputs, names: Mapping[str, str]) -> Work:
    """A leaf task as something to run. Image and environment may quote the task's inputs."""
    component = task.component
    executor = component.body
    assert not isinstance(executor, Dag)
    said = {"inputs": {"parameterValues": given.parameters}}
    names = {**names, "pipeline_task_name": task.name}
    if isinstance(executor, Container):
        executor = replace(
            executor,
            image=placeholders.substitute(executor.image, said, names),
            env={key: placeholders.substitute(value, said, names) for key, value in executor.env.items()},
        )
    elif isinstance(executor, Importer):
        executor = replace(
            executor,
            uri=placeholders.substitute(executor.uri, said, names),
            metadata=placeholders.constant(dict(executor.metadata), given.parameters, names),
        )
    return Work(
        path=path,
        component=component.name,
        executor=executor,
        parameters=given.parameters,
        artifacts=given.artifacts,
        artifact_lists=frozenset(name for name, each in component.artifacts.items() if each.type.is_list),
        output_parameters=component.output_parameters,
        output_artifacts=component.output_artifacts,
        caching=task.caching,
        cache_key=task.cache_key,
        timeout=component.timeout,
    )


def dag_outputs(dag: Dag, path: str, nodes: Nodes, component: Component) -> Outputs:
    """What a DAG gives on: of several sources the first that has a value (dsl.OneOf)."""
    parameters: dict[str, Any] = {}
    for name, sources in dag.parameters.items():
        for source in sources:
            made = nodes[join(path, source.task)].outputs.parameters
            if source.output in made:
                parameters[name] = typed(made[source.output], component.output_parameters.get(name, ""))
                break
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, sources in dag.artifacts.items():
        for source in sources:
            found = nodes[join(path, source.task)].outputs.artifacts.get(source.output)
            if found is not None:
                artifacts[name] = found
                break
    return Outputs(parameters, artifacts)


def collected(component: Component, iterations: Iterable[Node]) -> Outputs:
    """What a loop gives on: lists, in the order of its items (dsl.Collected); artifacts of inner loops in one list."""
    iterations = list(iterations)
    assert isinstance(component.body, Dag)
    return Outputs(
        {
            name: [each.outputs.parameters[name] for each in iterations if name in each.outputs.parameters]
            for name in component.body.parameters
        },
        {
            name: tuple(artifact for each in iterations for artifact in each.outputs.artifacts.get(name, ()))
            for name in component.body.artifacts
        },
    )


def _parameter(binding: Binding, dag: Node, nodes: Nodes, names: Mapping[str, str]) -> Any:
    assert dag.inputs is not None
    match binding.source:
        case Constant(value):
            found: Any = value
        case FromInput(name):
            found = dag.inputs.parameters.get(name, _NOTHING)
        case FromTask(task, output):
            found = nodes[join(dag.path, task)].outputs.parameters.get(output, _NOTHING)
        case FinalStatus(task):
            found = _final_status(nodes[join(dag.path, task)], task, names)
    return _picked(found, binding.path) if binding.path and found is not _NOTHING else found


def _artifacts(binding: Binding, dag: Node, nodes: Nodes) -> tuple[Artifact, ...] | None:
    assert dag.inputs is not None
    match binding.source:
        case FromInput(name):
            return dag.inputs.artifacts.get(name)
        case FromTask(task, output):
            return nodes[join(dag.path, task)].outputs.artifacts.get(output)
    return None


def _complain(name: str, binding: Binding, dag: Node, nodes: Nodes) -> None:
    match binding.source:
        case FromTask(task, output):
            producer = nodes[join(dag.path, task)]
            if producer.state in (TaskState.SUCCEEDED, TaskState.CACHED) and producer.kind == "task":
                raise UnresolvedError(f"input {name!r} has no value: {task} wrote no output {output!r}")
            if producer.state in (TaskState.FAILED, TaskState.CANCELLED):
                raise UnresolvedError(f"input {name!r} has no value: {task} {producer.state}")
            raise AbsentError(f"input {name!r} has no value: what would have made it in {task} was skipped")
        case FromInput(outer):
            raise AbsentError(f"input {name!r} has no value: {outer!r} was not given")
    raise UnresolvedError(f"input {name!r} has no value")


def _picked(value: Any, path: tuple[str | int, ...]) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise UnresolvedError(f"expected JSON to pick {path} from, found {value[:80]!r}") from None
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise UnresolvedError(f"{json.dumps(value, default=str)[:80]} has no {step!r}") from None
    return value


def _final_status(node: Node, task: str, names: Mapping[str, str]) -> dict[str, Any]:
    """KFP's PipelineTaskFinalStatus, as its executor reads it."""
    state = "SUCCEEDED" if node.state is TaskState.CACHED else node.state.name
    code = 0 if state in ("SUCCEEDED", "SKIPPED") else 1 if state == "CANCELLED" else 9
    return {
        "state": state,
        "pipelineJobResourceName": names.get("pipeline_job_resource_name", ""),
        "pipelineTaskName": task,
        "error": {"code": code, "message": node.error} if code else {},
    }

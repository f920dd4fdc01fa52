"""Where a task's inputs come from in a run, and what DAGs and loops give on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from tidegate.graph import placeholders
from tidegate.graph.model import Binding, Component, Constant, Dag, FinalStatus, FromInput, FromTask, Task
from tidegate.graph.tasks import UnresolvedError, defaults, fitted
from tidegate.graph.values import final_status, pick
from tidegate.graph.work import Artifact, Outputs
from tidegate.local.events import TaskState
from tidegate.local.state import Inputs, Node, join
from tidegate.spec.values import ValueMismatchError, typed


class Nodes(Protocol):
    def __getitem__(self, path: str) -> Node: ...


def resolve(task: Task, dag: Node, nodes: Nodes, names: Mapping[str, str]) -> Inputs:
    """The values of a task's inputs, each as its declared type has it; optional ones without a value are left out.

    A nested DAG may get less than it declares: who needs what is missing in there says so.
    Raises: UnresolvedError, placeholders.PlaceholderError.
    """
    names = {**names, "pipeline_task_name": task.name}
    component = task.component
    lenient = isinstance(component.body, Dag)
    parameters: dict[str, Any] = {}
    quoting: list[str] = []
    for name, binding in task.parameters.items():
        declared = component.parameters.get(name)
        value = _parameter(name, binding, dag, nodes, names)
        if value is None:
            spared = declared.optional if declared is not None else isinstance(binding.source, FromInput)
            if not lenient and not spared:
                raise _missing(name, binding, dag, nodes)
        elif isinstance(binding.source, Constant) and placeholders.quotes(value):
            parameters[name] = value
            quoting.append(name)
        else:
            parameters[name] = fitted(name, value, declared)
    for name in quoting:
        value = placeholders.constant(parameters[name], parameters, names)
        parameters[name] = fitted(name, value, component.parameters.get(name))
    parameters |= defaults(component, parameters, task.iteration.item if task.iteration is not None else "")
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, binding in task.artifacts.items():
        found = _artifacts(binding, dag, nodes)
        if found is not None:
            artifacts[name] = found
        elif not lenient and not (name in component.artifacts and component.artifacts[name].optional):
            raise _missing(name, binding, dag, nodes)
    return Inputs(parameters, artifacts)


def settings(task: Task, dag: Node, nodes: Nodes, names: Mapping[str, str]) -> dict[str, Any]:
    """What the platform spec takes from the run, by placeholder. Raises: UnresolvedError."""
    found = {}
    for name, binding in task.settings.items():
        value = _parameter(name, binding, dag, nodes, names)
        if value is None:
            raise _missing(name, binding, dag, nodes)
        found[name] = value
    return found


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


def _parameter(name: str, binding: Binding, dag: Node, nodes: Nodes, names: Mapping[str, str]) -> Any:
    """The value; None where there is none."""
    assert dag.inputs is not None
    match binding.source:
        case Constant(value):
            found: Any = value
        case FromInput(outer):
            found = dag.inputs.parameters.get(outer)
        case FromTask(task, output):
            found = nodes[join(dag.path, task)].outputs.parameters.get(output)
        case FinalStatus(task):
            node = nodes[join(dag.path, task)]
            state = "SUCCEEDED" if node.state is TaskState.CACHED else node.state.name
            found = final_status(state, task, node.error, names)
    if not binding.path or found is None:
        return found
    try:
        return pick(found, binding.path)
    except ValueMismatchError as error:
        raise UnresolvedError(f"input {name!r}: {error}") from None


def _artifacts(binding: Binding, dag: Node, nodes: Nodes) -> tuple[Artifact, ...] | None:
    assert dag.inputs is not None
    match binding.source:
        case FromInput(name):
            return dag.inputs.artifacts.get(name)
        case FromTask(task, output):
            return nodes[join(dag.path, task)].outputs.artifacts.get(output)
    return None


def _missing(name: str, binding: Binding, dag: Node, nodes: Nodes) -> UnresolvedError:
    match binding.source:
        case FromInput(outer):
            why = f"the pipeline was given no {outer!r}"
        case FromTask(task, output):
            producer = nodes[join(dag.path, task)]
            if producer.state not in (TaskState.SUCCEEDED, TaskState.CACHED):
                why = f"{task} was {producer.state}" if producer.state != TaskState.FAILED else f"{task} failed"
            elif producer.kind == "task":
                why = f"{task} wrote no output {output!r}"
            else:
                why = f"what makes {output!r} in {task} was skipped"
        case _:
            why = "it is bound to nothing"
    return UnresolvedError(f"input {name!r} has no value: {why}")

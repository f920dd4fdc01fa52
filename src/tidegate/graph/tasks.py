"""From a task of the graph and its values to work: what every engine does with a task's inputs before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tidegate.graph import placeholders
from tidegate.graph.model import Component, Dag, Parameter, Task
from tidegate.graph.resources import bytes_of, cores_of, count_of
from tidegate.graph.work import Artifact, Container, Importer, Work
from tidegate.spec.values import ValueMismatchError, fit


class UnresolvedError(Exception):
    """An input that should be there and is not, or is not what it should be: the task fails."""


def fitted(name: str, value: Any, declared: Parameter | None) -> Any:
    """The value as the declared type has it. Raises: UnresolvedError."""
    if declared is None:
        return value
    try:
        return fit(value, declared.type, declared.literals)
    except ValueMismatchError as error:
        raise UnresolvedError(f"input {name!r}: {error}") from None


def defaults(component: Component, given: Mapping[str, Any], item: str = "") -> dict[str, Any]:
    """What the component adds to the parameters that it was given. `item`: the one that a loop fills in later."""
    found: dict[str, Any] = {}
    for name, declared in component.parameters.items():
        if declared.type == "TASK_CONFIG" and component.task_config is not None:
            found[name] = dict(component.task_config)
        elif name not in given and name != item and declared.has_default:
            found[name] = declared.default
    return found


def work(
    path: str,
    task: Task,
    parameters: Mapping[str, Any],
    artifacts: Mapping[str, tuple[Artifact, ...]],
    names: Mapping[str, str],
    settings: Mapping[str, Any],
) -> Work:
    """A leaf task as something to run. Image, environment and resources may quote the task's inputs.

    `names`: KFP's run-time names. `settings`: what the platform spec takes from the run, by placeholder.
    Raises: UnresolvedError, placeholders.PlaceholderError.
    """
    component = task.component
    executor = component.body
    assert not isinstance(executor, Dag)
    said = {"inputs": {"parameterValues": {**parameters, **settings}}}
    names = {**names, "pipeline_task_name": task.name}

    def filled(text: str) -> str:
        return placeholders.substitute(text, said, names)

    if isinstance(executor, Container):
        executor = replace(
            executor,
            image=filled(executor.image),
            env={key: filled(value) for key, value in executor.env.items()},
            env_from=tuple(replace(each, name=filled(each.name)) for each in executor.env_from),
        )
        if component.resources is not None:
            try:
                executor = replace(
                    executor,
                    cpu=cores_of(filled(component.resources.cpu)),
                    memory=bytes_of(filled(component.resources.memory)),
                    accelerators=count_of(filled(component.resources.accelerators)),
                )
            except (ValueError, OverflowError) as error:
                raise UnresolvedError(str(error)) from None
    elif isinstance(executor, Importer):
        executor = replace(
            executor,
            uri=filled(executor.uri),
            metadata=placeholders.constant(dict(executor.metadata), parameters, names),
        )
    return Work(
        path=path,
        component=component.name,
        executor=executor,
        parameters=parameters,
        artifacts=artifacts,
        artifact_lists=frozenset(name for name, each in component.artifacts.items() if each.type.is_list),
        output_parameters=component.output_parameters,
        output_artifacts=component.output_artifacts,
        caching=task.caching,
        cache_key=task.cache_key,
        timeout=component.timeout,
    )

"""Whether a PipelineSpec can run at all: every reference leads somewhere, nothing waits for itself, types meet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tidegate.spec.errors import Problem
from tidegate.spec.messages import pb
from tidegate.spec.pipeline import Pipeline, parameter_type
from tidegate.spec.values import ValueMismatchError, fit, plain

_NAME = re.compile(r"[^\x00-\x1f\x7f/\\\ud800-\udfff]+")
_MAX_NAME = 200
"""Bytes; names become those of files and folders."""
_MAX_NESTING = 40


def check(pipeline: Pipeline) -> list[Problem]:
    """Every problem of the pipeline; none means that the engines can read it."""
    return list(_Checker(pipeline).problems())


class _Checker:
    def __init__(self, pipeline: Pipeline) -> None:
        self.spec = pipeline.spec
        self.executors = pipeline.deployment.executors

    def problems(self) -> Iterator[Problem]:
        yield from self._names("components", self.spec.components)
        yield from self._recursion()
        yield from self._component("root", self.spec.root)
        for name in sorted(self.spec.components):
            yield from self._component(f"components.{name}", self.spec.components[name])

    def _names(self, where: str, names: Any) -> Iterator[Problem]:
        for name in sorted(names):
            if not _NAME.fullmatch(name) or name in (".", "..") or len(name.encode()) > _MAX_NAME:
                shown = repr(name) if len(name) < 80 else f"{name[:80]!r}..."
                yield Problem(
                    where, f"{shown} cannot be a name: 1 to {_MAX_NAME} bytes, no slash, no control character, not `..`"
                )

    def _recursion(self) -> Iterator[Problem]:
        uses = {
            name: {task.component_ref.name for task in component.dag.tasks.values()}
            for name, component in self.spec.components.items()
        }
        try:
            depth: dict[str, int] = {}
            for name in TopologicalSorter(uses).static_order():
                depth[name] = 1 + max((depth.get(used, 0) for used in uses.get(name, ())), default=0)
            if depth and max(depth.values()) > _MAX_NESTING:
                yield Problem("components", f"pipelines nested deeper than {_MAX_NESTING} levels")
        except CycleError as error:
            yield Problem("components", f"a component contains itself: {' -> '.join(error.args[1])}")

    def _component(self, where: str, component: pb.ComponentSpec) -> Iterator[Problem]:
        inputs, outputs = component.input_definitions, component.output_definitions
        for names in (inputs.parameters, inputs.artifacts, outputs.parameters, outputs.artifacts):
            yield from self._names(where, names)
        for name in sorted(outputs.artifacts):
            if name.startswith(".") or name == "executor_output.json":
                yield Problem(f"{where}.outputDefinitions", f"an output artifact cannot be called {name!r}: rename it")
        match component.WhichOneof("implementation"):
            case "dag":
                yield from self._dag(f"{where}.dag", component)
            case "executor_label":
                yield from self._executor(where, component.executor_label)
            case _:
                yield Problem(where, "expected `dag` or `executorLabel`, found neither")

    def _executor(self, where: str, label: str) -> Iterator[Problem]:
        if label not in self.executors:
            yield Problem(
                f"{where}.executorLabel", f"no executor {label!r} in deploymentSpec{_near(label, self.executors)}"
            )
            return
        executor = self.executors[label]
        kind = executor.WhichOneof("spec")
        if kind not in ("container", "importer"):
            yield Problem(
                f"deploymentSpec.executors.{label}", f"expected a container or an importer, found {kind or 'nothing'}"
            )
        elif kind == "container" and not executor.container.image:
            yield Problem(f"deploymentSpec.executors.{label}.container", "no image")

    def _dag(self, where: str, component: pb.ComponentSpec) -> Iterator[Problem]:
        tasks = component.dag.tasks
        yield from self._names(f"{where}.tasks", tasks)
        edges: dict[str, set[str]] = {}
        for name in sorted(tasks):
            task, place = tasks[name], f"{where}.tasks.{name}"
            edges[name] = set(task.dependent_tasks)
            for other in task.dependent_tasks:
                if other not in tasks:
                    yield Problem(f"{place}.dependentTasks", f"no task {other!r} here{_near(other, tasks)}")
            used = self.spec.components.get(task.component_ref.name)
            if used is None:
                missing = task.component_ref.name
                yield Problem(
                    f"{place}.componentRef", f"no component {missing!r}{_near(missing, self.spec.components)}"
                )
                continue
            yield from self._bindings(place, component, task, used, edges[name])
        try:
            TopologicalSorter({name: set(others) & set(tasks) for name, others in edges.items()}).prepare()
        except CycleError as error:
            yield Problem(where, f"tasks wait for each other: {' -> '.join(error.args[1])}")
        yield from self._dag_outputs(where, component)

    def _bindings(
        self, where: str, parent: pb.ComponentSpec, task: Any, used: pb.ComponentSpec, edges: set[str]
    ) -> Iterator[Problem]:
        tasks = parent.dag.tasks
        iterators = task.WhichOneof("iterator")
        item = getattr(task, iterators).item_input if iterators else ""
        for name, source in sorted(task.inputs.parameters.items()):
            place = f"{where}.inputs.parameters.{name}"
            kind = source.WhichOneof("kind")
            if kind == "component_input_parameter":
                outer, declared = source.component_input_parameter, parent.input_definitions.parameters
                if outer not in declared:
                    yield Problem(place, f"the enclosing pipeline has no parameter {outer!r}{_near(outer, declared)}")
                elif not source.parameter_expression_selector:
                    yield from _met(place, f"parameter {outer!r}", declared[outer], used, name)
            elif kind == "runtime_value":
                yield from _constant(place, source.runtime_value, used, name)
            elif kind in ("task_output_parameter", "task_final_status"):
                chosen = getattr(source, kind)
                edges.add(chosen.producer_task)
                if chosen.producer_task not in tasks:
                    yield Problem(place, f"no task {chosen.producer_task!r} here{_near(chosen.producer_task, tasks)}")
                elif kind == "task_output_parameter" and not source.parameter_expression_selector:
                    yield from self._type(place, tasks[chosen.producer_task], chosen.output_parameter_key, used, name)
            elif kind is None:
                yield Problem(place, "bound to nothing")
        for name, source in sorted(task.inputs.artifacts.items()):
            place = f"{where}.inputs.artifacts.{name}"
            kind = source.WhichOneof("kind")
            if kind == "component_input_artifact":
                outer, known = source.component_input_artifact, parent.input_definitions.artifacts
                if outer not in known:
                    yield Problem(place, f"the enclosing pipeline has no artifact {outer!r}{_near(outer, known)}")
            elif kind == "task_output_artifact":
                chosen = source.task_output_artifact
                edges.add(chosen.producer_task)
                if chosen.producer_task not in tasks:
                    yield Problem(place, f"no task {chosen.producer_task!r} here{_near(chosen.producer_task, tasks)}")
                elif chosen.output_artifact_key not in self._outputs(tasks[chosen.producer_task]).artifacts:
                    yield Problem(
                        place, f"task {chosen.producer_task!r} makes no artifact {chosen.output_artifact_key!r}"
                    )
            else:
                yield Problem(place, "bound to nothing")
        for name, parameter in sorted(used.input_definitions.parameters.items()):
            optional = parameter.is_optional or parameter.HasField("default_value")
            if name not in task.inputs.parameters and name != item and not optional:
                yield Problem(f"{where}.inputs", f"parameter {name!r} is required and bound to nothing")
        for name, artifact in sorted(used.input_definitions.artifacts.items()):
            if name not in task.inputs.artifacts and name != item and not artifact.is_optional:
                yield Problem(f"{where}.inputs", f"artifact {name!r} is required and bound to nothing")
        yield from self._iterator(where, task, used)

    def _iterator(self, where: str, task: Any, used: pb.ComponentSpec) -> Iterator[Problem]:
        if task.iterator_policy.parallelism_limit < 0:
            yield Problem(f"{where}.iteratorPolicy", "parallelismLimit is negative")
        kind = task.WhichOneof("iterator")
        if kind is None:
            return
        iterator = getattr(task, kind)
        bound = task.inputs.parameters if kind == "parameter_iterator" else task.inputs.artifacts
        source = iterator.items.input_parameter if kind == "parameter_iterator" else iterator.items.input_artifact
        raw = kind == "parameter_iterator" and iterator.items.WhichOneof("kind") == "raw"
        if not raw and source not in bound:
            yield Problem(f"{where}.{kind}", f"iterates over the input {source!r}, which is bound to nothing")
        if used.WhichOneof("implementation") != "dag":
            yield Problem(f"{where}.{kind}", "only a nested pipeline can be iterated")

    def _type(self, where: str, producer: Any, key: str, used: pb.ComponentSpec, name: str) -> Iterator[Problem]:
        outputs = self._outputs(producer).parameters
        if key not in outputs:
            yield Problem(
                where, f"task {producer.component_ref.name!r} makes no parameter {key!r}{_near(key, outputs)}"
            )
            return
        if not producer.WhichOneof("iterator"):  # a loop gives lists, whatever its DAG declares
            yield from _met(where, f"output {key!r}", outputs[key], used, name)

    def _dag_outputs(self, where: str, component: pb.ComponentSpec) -> Iterator[Problem]:
        tasks, outputs = component.dag.tasks, component.dag.outputs
        for name, output in sorted(outputs.parameters.items()):
            one = output.WhichOneof("kind") == "value_from_parameter"
            selectors = [output.value_from_parameter] if one else output.value_from_oneof.parameter_selectors
            for selector in selectors:
                yield from self._selected(
                    f"{where}.outputs.parameters.{name}", tasks, selector, selector.output_parameter_key, "parameters"
                )
        for name, output in sorted(outputs.artifacts.items()):
            for selector in output.artifact_selectors:
                yield from self._selected(
                    f"{where}.outputs.artifacts.{name}", tasks, selector, selector.output_artifact_key, "artifacts"
                )

    def _selected(self, where: str, tasks: Any, selector: Any, key: str, kind: str) -> Iterator[Problem]:
        if selector.producer_subtask not in tasks:
            yield Problem(where, f"no task {selector.producer_subtask!r} here{_near(selector.producer_subtask, tasks)}")
        elif key not in getattr(self._outputs(tasks[selector.producer_subtask]), kind):
            yield Problem(where, f"task {selector.producer_subtask!r} makes no {kind[:-1]} {key!r}")

    def _outputs(self, task: Any) -> pb.ComponentOutputsSpec:
        component = self.spec.components.get(task.component_ref.name)
        return component.output_definitions if component is not None else pb.ComponentOutputsSpec()


def _met(where: str, what: str, made: Any, used: pb.ComponentSpec, name: str) -> Iterator[Problem]:
    """Whether what one side makes can be what the other takes; text can be anything, until the run shows it."""
    if name not in used.input_definitions.parameters:
        return
    has, wanted = parameter_type(made), parameter_type(used.input_definitions.parameters[name])
    alike = ({"NUMBER_INTEGER", "NUMBER_DOUBLE"}, {"TASK_FINAL_STATUS", "STRUCT"}, {"TASK_CONFIG", "STRUCT"})
    if has != wanted and "STRING" not in (has, wanted) and {has, wanted} not in alike:
        yield Problem(where, f"expects {wanted}, and {what} is {has}")


def _constant(where: str, value: Any, used: pb.ComponentSpec, name: str) -> Iterator[Problem]:
    declared = used.input_definitions.parameters.get(name) if name in used.input_definitions.parameters else None
    if value.WhichOneof("value") != "constant" or declared is None:
        return
    constant = plain(value.constant)
    if constant is None or (isinstance(constant, str) and "{{$" in constant):
        return
    try:
        fit(constant, parameter_type(declared))
    except ValueMismatchError as error:
        yield Problem(where, str(error))


def _near(name: str, names: Any) -> str:
    near = get_close_matches(name, list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""

"""PipelineSpec -> Graph: the one place that knows how the IR says things."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Any

from tidegate.graph import platform, task_config
from tidegate.graph.expressions import ExpressionError, parse
from tidegate.graph.model import (
    ArtifactInput,
    Binding,
    Component,
    Constant,
    Dag,
    FinalStatus,
    FromInput,
    FromTask,
    Graph,
    Iteration,
    Parameter,
    Resources,
    Retry,
    Source,
    Task,
)
from tidegate.graph.resources import bytes_of, cores_of, count_of
from tidegate.graph.work import ArtifactType, Container, Importer
from tidegate.spec import json_text
from tidegate.spec.errors import Problem, SpecError
from tidegate.spec.messages import pb
from tidegate.spec.pipeline import Pipeline, parameter_type
from tidegate.spec.values import plain, typed

_STEP = re.compile(r"\[(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|(\d+))\]")
_CHANNEL = "pipelinechannel--"
_COPY = re.compile(r"-[0-9]+$")
MAX_TASKS = 100_000
"""Tasks that a pipeline may spell out, loops counted once; nested pipelines make it easy to write many."""
_COMPLETED = pb.PipelineTaskSpec.TriggerPolicy.TriggerStrategy.ALL_UPSTREAM_TASKS_COMPLETED


def build(pipeline: Pipeline) -> Graph:
    """The pipeline's graph.

    Raises: SpecError for what `spec` cannot see: conditions that are not KFP's, quantities that are none.
    """
    builder = _Builder(pipeline)
    root = builder.component(pipeline.name, pipeline.spec.root, "root")
    if not isinstance(root.body, Dag):  # a component compiled alone
        binding = {name: Binding(FromInput(name)) for name in root.parameters}
        artifacts = {name: Binding(FromInput(name)) for name in root.artifacts}
        task = Task(root.name, root, parameters=binding, artifacts=artifacts, caching=True)
        dag = Dag(
            {root.name: task},
            {name: (FromTask(root.name, name),) for name in root.output_parameters},
            {name: (FromTask(root.name, name),) for name in root.output_artifacts},
        )
        root = Component(root.name, dag, root.parameters, root.artifacts, root.output_parameters, root.output_artifacts)
    if root.size > MAX_TASKS:
        builder.problems.append(Problem("root", f"{root.size} tasks; at most {MAX_TASKS} are run"))
    if builder.problems:
        raise SpecError(builder.problems)
    return Graph(pipeline.name, root, tuple(sorted(builder.ignored)))


class _Builder:
    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.problems: list[Problem] = []
        self.ignored: set[str] = set(platform.ignored_of_pipeline(pipeline.platforms))
        self.made: dict[str, Component] = {}

    def named(self, reference: str) -> Component:
        if reference not in self.made:
            spec = self.pipeline.spec.components[reference]
            self.made[reference] = self.component(self._own_name(reference), spec, f"components.{reference}")
        return self.made[reference]

    def _own_name(self, reference: str) -> str:
        """`comp-train-2` is kfp's copy of `comp-train` for its second task."""
        original = _COPY.sub("", reference)
        return (original if original in self.pipeline.spec.components else reference).removeprefix("comp-")

    def component(self, name: str, spec: pb.ComponentSpec, where: str) -> Component:
        inputs, outputs = spec.input_definitions, spec.output_definitions
        body: Dag | Container | Importer
        timeout, resources, handed_on, size = None, None, None, 1
        if spec.WhichOneof("implementation") == "dag":
            body = self._dag(spec, where)
            size += sum(task.component.size for task in body.tasks.values())
        else:
            label = spec.executor_label
            executor = self.pipeline.deployment.executors[label]
            settings = platform.settings(self.pipeline.platforms, label)
            timeout = platform.timeout(settings)
            if executor.WhichOneof("spec") == "importer":
                body = _importer(executor.importer)
            else:
                body, resources = self._container(executor.container, label, settings)
                body, handed_on = task_config.split(spec, executor.container, settings, body)
        return Component(
            name=name,
            body=body,
            parameters={key: _parameter(value) for key, value in sorted(inputs.parameters.items())},
            artifacts={
                key: ArtifactInput(_type(value.artifact_type, value.is_artifact_list), value.is_optional)
                for key, value in sorted(inputs.artifacts.items())
            },
            output_parameters={key: parameter_type(value) for key, value in sorted(outputs.parameters.items())},
            output_artifacts={
                key: _type(value.artifact_type, value.is_artifact_list)
                for key, value in sorted(outputs.artifacts.items())
            },
            timeout=timeout,
            resources=resources,
            task_config=handed_on,
            size=size,
        )

    def _dag(self, spec: pb.ComponentSpec, where: str) -> Dag:
        given = spec.input_definitions.parameters
        tasks = {
            name: self._task(name, task, given, f"{where}.dag.tasks.{name}")
            for name, task in sorted(spec.dag.tasks.items())
        }
        sorter = TopologicalSorter({name: task.after for name, task in tasks.items()})
        outputs = spec.dag.outputs
        parameters = {}
        for name, output in sorted(outputs.parameters.items()):
            one = output.WhichOneof("kind") == "value_from_parameter"
            chosen = [output.value_from_parameter] if one else output.value_from_oneof.parameter_selectors
            parameters[name] = tuple(FromTask(each.producer_subtask, each.output_parameter_key) for each in chosen)
        artifacts = {
            name: tuple(FromTask(each.producer_subtask, each.output_artifact_key) for each in output.artifact_selectors)
            for name, output in sorted(outputs.artifacts.items())
        }
        return Dag({name: tasks[name] for name in _stable(sorter)}, parameters, artifacts)

    def _task(self, name: str, task: pb.PipelineTaskSpec, given: Collection[str], where: str) -> Task:
        """`given`: the enclosing pipeline's parameters."""
        component = self.named(task.component_ref.name)
        parameters = {
            key: self._binding(value, component.parameters.get(key), f"{where}.inputs.parameters.{key}")
            for key, value in sorted(task.inputs.parameters.items())
        }
        artifacts = {
            key: Binding(
                FromInput(value.component_input_artifact)
                if value.WhichOneof("kind") == "component_input_artifact"
                else FromTask(value.task_output_artifact.producer_task, value.task_output_artifact.output_artifact_key)
            )
            for key, value in sorted(task.inputs.artifacts.items())
        }
        settings = {
            key: _inside(self._binding(value, None, f"{where}: {key}"), given)
            for key, value in self._named_settings(component, task)
        }
        after = set(task.dependent_tasks)
        for binding in (*parameters.values(), *artifacts.values(), *settings.values()):
            if isinstance(binding.source, FromTask | FinalStatus):
                after.add(binding.source.task)
        condition = None
        if task.trigger_policy.condition:
            try:
                condition = parse(task.trigger_policy.condition)
            except ExpressionError as error:
                self.problems.append(Problem(f"{where}.triggerPolicy", str(error)))
        policy = task.retry_policy
        if policy.max_retry_count > 0 and isinstance(component.body, Dag):
            self.ignored.add(f"{name}: retries of a nested pipeline as a whole; give them to its tasks")
        return Task(
            name=name,
            component=component,
            after=tuple(sorted(after)),
            parameters=parameters,
            artifacts=artifacts,
            condition=condition,
            even_after_failure=task.trigger_policy.strategy == _COMPLETED,
            iteration=self._iteration(task, where),
            retry=Retry(
                max(0, policy.max_retry_count),
                _seconds(policy.backoff_duration),
                policy.backoff_factor or 2.0,
                _seconds(policy.backoff_max_duration) or 3600.0,
            ),
            caching=task.caching_options.enable_cache,
            cache_key=task.caching_options.cache_key,
            settings=settings,
        )

    def _named_settings(self, component: Component, task: pb.PipelineTaskSpec) -> list[tuple[str, Any]]:
        """What the platform spec takes from parameters and outputs of the enclosing pipeline, as the IR says it."""
        if not isinstance(component.body, Container) or not component.body.env_from:
            return []
        label = self.pipeline.spec.components[task.component_ref.name].executor_label
        return platform.parameters(platform.settings(self.pipeline.platforms, label))

    def _binding(self, source: Any, declared: Parameter | None, where: str) -> Binding:
        found: Source
        match source.WhichOneof("kind"):
            case "task_output_parameter":
                chosen = source.task_output_parameter
                found = FromTask(chosen.producer_task, chosen.output_parameter_key)
            case "task_final_status":
                found = FinalStatus(source.task_final_status.producer_task)
            case "component_input_parameter":
                found = FromInput(source.component_input_parameter)
            case _:
                value = _constant(source.runtime_value)
                found = Constant(typed(value, declared.type) if declared else value)
        selector = source.parameter_expression_selector
        return Binding(found, self._path(selector, where)) if selector else Binding(found)

    def _path(self, selector: str, where: str) -> tuple[str | int, ...]:
        """`parseJson(string_value)["a"][0]` -> ("a", 0)"""
        rest = selector.removeprefix("parseJson(string_value)")
        steps: list[str | int] = []
        at = 0
        while match := _STEP.match(rest, at):
            steps.append(int(match[3]) if match[3] else str(match[1] if match[1] is not None else match[2]))
            at = match.end()
        if rest == selector or at < len(rest):
            self.problems.append(Problem(where, f"expression {selector!r}: expected parseJson(string_value)[...]"))
        return tuple(steps)

    def _iteration(self, task: pb.PipelineTaskSpec, where: str) -> Iteration | None:
        limit = task.iterator_policy.parallelism_limit
        match task.WhichOneof("iterator"):
            case "artifact_iterator":
                iterator = task.artifact_iterator
                return Iteration(iterator.item_input, FromInput(iterator.items.input_artifact), True, limit)
            case "parameter_iterator":
                items = task.parameter_iterator.items
                if items.WhichOneof("kind") == "input_parameter":
                    return Iteration(task.parameter_iterator.item_input, FromInput(items.input_parameter), limit=limit)
                try:
                    values = json_text.parse(items.raw or "[]")
                    if not isinstance(values, list):
                        raise ValueError
                except ValueError:
                    self.problems.append(Problem(f"{where}.parameterIterator", "items.raw: expected a JSON list"))
                    values = []
                return Iteration(task.parameter_iterator.item_input, Constant(values), limit=limit)
        return None

    def _container(self, spec: Any, label: str, settings: Mapping[str, Any]) -> tuple[Container, Resources | None]:
        said = spec.resources
        where = f"deploymentSpec.executors.{label}.container.resources"
        written = Resources(
            said.resource_cpu_limit or said.resource_cpu_request,
            said.resource_memory_limit or said.resource_memory_request,
            said.accelerator.resource_count,
        )
        cpu, memory, accelerators = 0.0, 0, 0
        try:
            cpu = cores_of(written.cpu) or float(said.cpu_limit or said.cpu_request)
            memory = bytes_of(written.memory) or int((said.memory_limit or said.memory_request) * 10**9)
            accelerators = count_of(written.accelerators) or said.accelerator.count
            if not (0 <= cpu < float("inf") and memory >= 0 and accelerators >= 0):
                raise ValueError("a quantity is negative or no number")
        except (ValueError, OverflowError) as error:
            self.problems.append(Problem(where, str(error)))
        if accelerators:
            self.ignored.add(f"{label}: {accelerators} x {said.accelerator.resource_type or said.accelerator.type}")
        self.ignored.update(f"{label}: {name}" for name in platform.ignored(settings))
        container = Container(
            image=platform.image(settings) or spec.image,
            command=tuple(spec.command),
            args=tuple(spec.args),
            env={each.name: each.value for each in spec.env},
            cpu=cpu,
            memory=memory,
            accelerators=accelerators,
            env_from=platform.env_from(settings),
            quantities=task_config.quantities(said),
            platform=settings,
        )
        quoted = any("{{" in text for text in (written.cpu, written.memory, written.accelerators))
        return container, written if quoted else None


def _stable(sorter: TopologicalSorter[str]) -> list[str]:
    order: list[str] = []
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order


def _parameter(spec: Any) -> Parameter:
    type_name = parameter_type(spec)
    given = spec.HasField("default_value")
    default = typed(plain(spec.default_value), type_name) if given else None
    literals = tuple(typed(plain(each), type_name) for each in spec.literals)
    return Parameter(type_name, default, given and default is not None, spec.is_optional or given, literals)


def _inside(binding: Binding, given: Collection[str]) -> Binding:
    """Before 2.14 kfp-kubernetes called inputs of groups by the names that they have outside."""
    match binding.source:
        case FromInput(name) if name not in given and f"{_CHANNEL}{name}" in given:
            return replace(binding, source=FromInput(f"{_CHANNEL}{name}"))
    return binding


def _type(spec: pb.ArtifactTypeSchema, is_list: bool = False) -> ArtifactType:
    return ArtifactType(
        spec.schema_title or "system.Artifact", spec.schema_version or "0.0.1", spec.instance_schema, is_list
    )


def _importer(spec: Any) -> Importer:
    uri = _constant(spec.artifact_uri)
    if spec.artifact_uri.WhichOneof("value") == "runtime_parameter":
        uri = "{{$.inputs.parameters['%s']}}" % spec.artifact_uri.runtime_parameter  # noqa: UP031 - braces
    metadata = {key: typed(plain(value), "STRUCT") for key, value in spec.metadata.fields.items()}
    for group in (spec.properties, spec.custom_properties):
        metadata |= {key: _constant(value) for key, value in group.items()}
    return Importer(str(uri if uri is not None else ""), _type(spec.type_schema), metadata, spec.reimport)


def _constant(value: pb.ValueOrRuntimeParameter) -> Any:
    match value.WhichOneof("value"):
        case "constant":
            return plain(value.constant)
        case "constant_value":  # kfp 2.0 betas
            kind = value.constant_value.WhichOneof("value")
            return getattr(value.constant_value, kind) if kind else None
    return None


def _seconds(duration: Any) -> float:
    return float(duration.seconds + duration.nanos / 1e9)

"""What a task of a DAG is given: bindings of the graph as texts of Argo's arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.argo import expressions, placeholders, wire
from tidegate.argo.expressions import Inexpressible
from tidegate.graph.model import Binding, Component, Constant, Dag, FinalStatus, FromInput, FromTask, Parameter, Task
from tidegate.graph.work import Container

ROOT_SUFFIX = "-json"
"""What a root DAG's inputs have after the names of the pipeline's parameters: Argo would put those in unread."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The DAG that tasks are in."""

    component: Component
    root: bool = False

    @property
    def dag(self) -> Dag:
        assert isinstance(self.component.body, Dag)
        return self.component.body

    def input_name(self, name: str) -> str:
        return name + ROOT_SUFFIX if self.root else name

    def type_of(self, binding: Binding) -> str:
        """The declared type of where a parameter comes from; empty where it is not known."""
        match binding.source:
            case FromInput(name) if name in self.component.parameters and not binding.path:
                return self.component.parameters[name].type
            case FromTask(task, output) if not binding.path:
                producer = self.dag.tasks[task]
                return "LIST" if producer.iteration else producer.component.output_parameters.get(output, "")
            case FinalStatus():
                return "TASK_FINAL_STATUS"
        return ""


def undeclared(task: Task) -> list[str]:
    """What a step is given beside its component's inputs: what its environment, image and resources quote."""
    body = task.component.body
    if not isinstance(body, Container):
        return []
    said: list[Any] = [body.image, dict(body.env), [each.name for each in body.env_from]]
    said += [dict(each) for each in body.quantities.values()]
    quoted, _ = placeholders.quoted(said)
    known = {*task.parameters, *task.settings} - {*task.component.parameters}
    return sorted(quoted & known)


def arguments(task: Task, scope: Scope) -> list[dict[str, str]]:
    """The task's arguments, by name; an artifact is the text that describes it. Raises: Inexpressible."""
    lenient = isinstance(task.component.body, Dag)
    own = undeclared(task)
    found: dict[str, str] = {}
    for name, binding in {**task.parameters, **task.settings}.items():
        declared = task.component.parameters.get(name)
        if lenient:
            if declared is None and not _is_item_source(task, name):
                continue
            text = _expressed(binding, task, scope, declared)
        else:
            if declared is None and name not in own:
                continue
            text = _recipe(binding, task, scope)
        found[name] = text
    for name, binding in task.artifacts.items():
        if name in task.component.artifacts or _is_item_source(task, name):
            found[name] = _plain(binding, task, scope, not lenient)
    return [{"name": name, "value": text} for name, text in sorted(found.items())]


def text_of(binding: Binding, task: Task, scope: Scope) -> str:
    """The expression for the text of a binding; of a constant, its literal."""
    match binding.source:
        case Constant(value):
            return _constant(value, task, scope)
        case FromInput(name):
            found = expressions.input_of(scope.input_name(name))
        case FromTask(other, output):
            found = expressions.output_of(other, output)
        case FinalStatus(other):
            raise Inexpressible(f"task {task.name!r}: a condition on how {other!r} ended; read it in a component")
    return expressions.picked(found, binding.path) if binding.path else found


def _is_item_source(task: Task, name: str) -> bool:
    return task.iteration is not None and task.iteration.over == FromInput(name)


def _plain(binding: Binding, task: Task, scope: Scope, reasons: bool) -> str:
    """The text itself, where it needs no work. `reasons`: say why there is no value, where there may be none."""
    match binding.source:
        case FromInput(name):
            return f"{{{{inputs.parameters.{scope.input_name(name)}}}}}"
        case FromTask(other, output):
            if not task.even_after_failure:
                return f"{{{{tasks.{other}.outputs.parameters.{output}}}}}"
            text = expressions.output_of(other, output)
            return expressions.tag(_with_reason(text, other) if reasons else text)
        case FinalStatus(other):
            return f"{wire.STATUS}{other} {{{{tasks.{other}.status}}}} {{{{workflow.name}}}}"  # it names its run
    return expressions.tag(text_of(binding, task, scope))


def _with_reason(text: str, task: str) -> str:
    failed = f'(tasks[\'{task}\'].status in ["Failed", "Error"])'
    return f'({text} != "null" ? {text} : {failed} ? "!{task} failed" : "!{task} was skipped")'


def _recipe(binding: Binding, task: Task, scope: Scope) -> str:
    """For a step, which can work out what a text alone cannot say."""
    if isinstance(binding.source, Constant):
        value = binding.source.value
        quoted, names = placeholders.quoted(value)
        if not quoted and not names:
            return wire.dump(value)
        known = sorted(name for name in quoted if name in task.parameters)
        pairs = [f'"{name}": {_embedded(task.parameters[name], task, scope)}' for name in known]
        pairs += ['"": "{{workflow.uid}}"'] if names else []  # another run, another value: no hit
        return f"{wire.FILLED}[{wire.dump(value)}, {{{', '.join(pairs)}}}]"
    if binding.path:
        whole = Binding(binding.source)
        return f"{wire.PICKED}[{wire.dump(list(binding.path))}, {_embedded(whole, task, scope)}]"
    return _plain(binding, task, scope, True)


def _embedded(binding: Binding, task: Task, scope: Scope) -> str:
    """JSON, inside of a recipe's."""
    if binding.path or isinstance(binding.source, Constant):
        return expressions.tag(text_of(binding, task, scope))
    return _plain(binding, task, scope, False)


def _expressed(binding: Binding, task: Task, scope: Scope, parameter: Parameter | None) -> str:
    """For a DAG, whose inputs are values already."""
    declared = parameter.type if parameter else ""
    if parameter and parameter.has_default and not isinstance(binding.source, Constant | FinalStatus):
        text = expressions.as_type(
            text_of(binding, task, scope), "" if binding.path else scope.type_of(binding), declared
        )
        default = expressions.literal(wire.dump(parameter.default))
        return expressions.tag(f'({text} == "null" ? {default} : {text})')
    if isinstance(binding.source, Constant):
        quoted, names = placeholders.quoted(binding.source.value)
        if not quoted and not names:
            return wire.dump(binding.source.value)
        return expressions.tag(text_of(binding, task, scope))
    found = scope.type_of(binding)
    if not binding.path and (not declared or found == declared or declared not in expressions.KINDS):
        return _plain(binding, task, scope, False)
    text = text_of(binding, task, scope)
    return expressions.tag(expressions.as_type(text, found, declared) if declared else text)


def _constant(value: Any, task: Task, scope: Scope) -> str:
    quoted, names = placeholders.quoted(value)
    if not quoted and not names:
        return expressions.literal(wire.dump(value))
    if not isinstance(value, str):
        raise Inexpressible(
            f"task {task.name!r}: a list or struct that quotes other values, given to a pipeline or a condition; make "
            "it in a component"
        )
    types = {name: scope.type_of(each) or "any" for name, each in task.parameters.items()}

    def text(name: str) -> str:
        return text_of(task.parameters[name], task, scope)

    return expressions.filled(placeholders.parts(value, types, text))


def conditions(task: Task, scope: Scope) -> dict[str, tuple[str, str]]:
    """What the task's condition reads: name -> the expression for its text, and its type."""
    assert task.condition is not None
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(task.condition.inputs):
        binding = task.parameters.get(name)
        if binding is None:
            raise Inexpressible(f"task {task.name!r}: its condition reads {name!r}, which it is not given")
        declared = task.component.parameters.get(name)
        known = scope.type_of(binding)
        if isinstance(binding.source, Constant):
            known = _type_of_constant(binding.source.value)
        text = text_of(binding, task, scope)
        wanted = declared.type if declared else known
        found[name] = (expressions.as_type(text, known, wanted), wanted)
    return found


def _type_of_constant(value: Any) -> str:
    match value:
        case bool():
            return "BOOLEAN"
        case int() | float():
            return "NUMBER_DOUBLE"
        case list():
            return "LIST"
        case Mapping():
            return "STRUCT"
    return "STRING"

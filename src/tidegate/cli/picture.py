"""A pipeline as a picture: what all formats of `tidegate graph` draw."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.cli import words
from tidegate.graph.model import Binding, Constant, Dag, FinalStatus, FromInput, FromTask, Graph, Task

_INPUT = re.compile(r"inputs\.parameter_values\[['\"](.*?)['\"]\]")
_CAST = re.compile(r"\b(?:int|double|string|bool)\(([\w.\-\[\]]+)\)")
_CHANNEL = "pipelinechannel--"


@dataclass(frozen=True, slots=True)
class Node:
    """A task, or a DAG of tasks (a pipeline, a loop, a condition)."""

    name: str
    kind: str
    """`task`, `dag`, `loop` or `condition`."""
    note: str = ""
    """Of a condition what it asks, of a loop what it goes over."""
    after: tuple[str, ...] = ()
    """The siblings whose outputs it needs, or that it waits for."""
    children: tuple[Node, ...] = ()
    """In order: each after those it needs."""


def picture(graph: Graph) -> Node:
    """The picture of a pipeline. Nesting is limited by `spec`, so recursion is safe."""
    body = graph.root.body
    assert isinstance(body, Dag)
    return Node(graph.name, "dag", children=_children(body))


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """All nodes below `node` with their paths (`loop/train`), parents first."""
    for child in node.children:
        at = f"{path}/{child.name}" if path else child.name
        yield at, child
        yield from walk(child, at)


def _children(dag: Dag) -> tuple[Node, ...]:
    return tuple(_node(task) for task in dag.tasks.values())


def _node(task: Task) -> Node:
    body = task.component.body
    notes: list[str] = []
    kind = "dag" if isinstance(body, Dag) else "task"
    if task.iteration:
        kind = "loop"
        limit = f", {task.iteration.limit} at a time" if task.iteration.limit else ""
        notes.append(f"for each of {_items(task)}{limit}")
    if task.condition:
        kind = kind if task.iteration or kind == "task" else "condition"
        notes.append(f"if {asked(task)}")
    if task.even_after_failure:
        notes.append("whatever happened before")
    return Node(task.name, kind, "; ".join(notes), task.after, _children(body) if isinstance(body, Dag) else ())


def asked(task: Task) -> str:
    """The task's condition with the names that people gave: `flip-coin.result == 'heads'`."""
    assert task.condition is not None

    def named(found: re.Match[str]) -> str:
        name = found[1]
        return _source(task.parameters[name]) if name in task.parameters else name.removeprefix(_CHANNEL)

    return _CAST.sub(r"\1", _INPUT.sub(named, task.condition.text))


def _items(task: Task) -> str:
    assert task.iteration is not None
    over = task.iteration.over
    if isinstance(over, Constant):
        return words.shown(over.value, 40)
    binding = task.parameters.get(over.name) or task.artifacts.get(over.name)
    return _source(binding) if binding else over.name.removeprefix(_CHANNEL)


def _source(binding: Binding) -> str:
    match binding.source:
        case FromTask(task, output):
            return f"{task}.{output}"
        case FromInput(name):
            return name.removeprefix(_CHANNEL)
        case FinalStatus(task):
            return f"the status of {task}"
        case Constant(value):
            return words.shown(value, 40)

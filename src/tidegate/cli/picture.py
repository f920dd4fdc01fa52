"""A pipeline as a picture: what all formats of `tidegate graph` draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A task, or a DAG of tasks (a pipeline, a loop, a condition, an exit handler)."""

    name: str
    kind: str
    """`task`, `dag`, `loop`, `condition` or `exit`."""
    note: str = ""
    """Of a task its image, of a condition what it asks, of a loop what it goes over."""
    after: tuple[str, ...] = ()
    """The siblings whose outputs it needs, or that it waits for."""
    children: tuple[Node, ...] = ()
    """In order: each after those it needs."""


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """All nodes below `node` with their paths (`loop/train`), parents first."""
    for child in node.children:
        at = f"{path}/{child.name}" if path else child.name
        yield at, child
        yield from walk(child, at)


def in_order(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Each node after those it needs; among equals by name order given. Nodes of a cycle come last, as given."""
    left = list(nodes)
    done: set[str] = set()
    ordered: list[Node] = []
    names = {node.name for node in nodes}
    while left:
        ready = [node for node in left if not (set(node.after) & names) - done]
        if not ready:
            return (*ordered, *left)
        ordered += ready
        done |= {node.name for node in ready}
        left = [node for node in left if node.name not in done]
    return tuple(ordered)

"""What follows from a task: all that waits for it, on whatever way. Pure."""

from __future__ import annotations

from tidegate.graph.model import Dag, Graph


def following(graph: Graph, path: str) -> frozenset[str]:
    """The paths of the tasks (and of the DAGs and loops, for all that they hold) that wait for the task at `path`.

    Inside of the DAGs around it, and after each of them: `loop/3/train` is followed by `loop/3/evaluate`, and by what
    waits for `loop`; not by what other iterations do. A path that the graph has not is followed by nothing.
    """
    found: set[str] = set()
    above, body = "", graph.root.body
    parts = iter(path.split("/"))
    for name in parts:
        if not isinstance(body, Dag) or name not in body.tasks:
            break
        found |= {_join(above, other) for other in _after(body, name)}
        task = body.tasks[name]
        above, body = _join(above, name), task.component.body
        if task.iteration is not None:
            above = _join(above, next(parts, ""))
    return frozenset(found)


def _after(dag: Dag, name: str) -> set[str]:
    found: set[str] = set()
    ahead = [name]
    while ahead:
        for other in dag.followers[ahead.pop()]:
            if other not in found:
                found.add(other)
                ahead.append(other)
    return found


def _join(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name

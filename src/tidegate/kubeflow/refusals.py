"""What KFP's backend does not run, found before anything is sent. Pure.

The first three are its compiler's own refusals (backend/src/v2/compiler/argocompiler/dag.go), which a user would see
only as a run that cannot be created; the fourth fails at run time, when the tasks before it have run.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.graph.model import Dag, FromInput, Graph, Task
from tidegate.graph.work import Importer


def refusals(graph: Graph) -> tuple[str, ...]:
    """One line for each reason: the task, why, and what to do. Empty: it can be sent."""
    assert isinstance(graph.root.body, Dag)
    return tuple(_of_dag(graph.root.body, ""))


def _of_dag(dag: Dag, path: str) -> Iterator[str]:
    if dag.tasks and all(task.even_after_failure for task in dag.tasks.values()):
        yield f"{path or 'the pipeline'}: KFP needs a task beside the exit tasks; add one"
    for task in dag.tasks.values():
        where = f"{path}/{task.name}" if path else task.name
        if task.iteration is not None and task.iteration.artifacts:
            yield f"{where}: KFP cannot loop over artifacts (`artifact iterator not implemented yet`): loop over values"
        if isinstance(task.component.body, Importer) and task.condition is not None:
            yield f"{where}: KFP has no conditions on importers; import before the condition, and use it inside"
        if task.iteration is not None and not task.iteration.artifacts:
            yield from _mistyped_items(task, task.iteration.item, where)
        if isinstance(task.component.body, Dag):
            yield from _of_dag(task.component.body, where)


def _mistyped_items(loop: Task, item: str, where: str) -> Iterator[str]:
    """Items of a bare `list` are declared as strings; KFP's driver then refuses them where a task takes a number."""
    declared = loop.component.parameters.get(item)
    if declared is None or declared.type != "STRING" or not isinstance(loop.component.body, Dag):
        return
    for path, name, wanted in _takers(loop.component.body, item):
        yield (
            f"{where}/{path}: KFP fails when it runs: `expect {wanted}, got string` for its input {name!r}, since the "
            f"items of a bare `list` count as strings; annotate the list that {loop.name} loops over, as in "
            f"`List[{_PYTHON[wanted]}]`"
        )


_PYTHON = {"NUMBER_INTEGER": "int", "NUMBER_DOUBLE": "float", "BOOLEAN": "bool", "LIST": "list", "STRUCT": "dict"}


def _takers(dag: Dag, name: str) -> Iterator[tuple[str, str, str]]:
    """The tasks that take the DAG's input as something else than text: path, their input, its type."""
    for task in dag.tasks.values():
        for own, binding in task.parameters.items():
            if not (isinstance(binding.source, FromInput) and binding.source.name == name) or binding.path:
                continue
            declared = task.component.parameters.get(own)
            if declared is not None and declared.type in _PYTHON:
                yield task.name, own, declared.type
            elif isinstance(task.component.body, Dag):
                yield from (
                    (f"{task.name}/{path}", at, wanted) for path, at, wanted in _takers(task.component.body, own)
                )

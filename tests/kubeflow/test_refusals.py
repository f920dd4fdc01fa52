"""What KFP's own compiler refuses is refused here first; and why a pod failed is read from its log."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.kubeflow import pipelines
from tidegate.graph.build import build
from tidegate.graph.expressions import parse
from tidegate.graph.model import Dag, Graph, Task
from tidegate.kubeflow.causes import cause
from tidegate.kubeflow.refusals import refusals
from tidegate.local.load import load_pipeline
from tidegate.spec import load


def graph(name: str) -> Graph:
    return build(load(load_pipeline(getattr(pipelines, name)).spec))


def changed(found: Graph, name: str, **fields: object) -> Graph:
    """The graph with another task of this name."""
    assert isinstance(found.root.body, Dag)
    tasks: dict[str, Task] = dict(found.root.body.tasks)
    tasks[name] = replace(tasks[name], **fields)  # type: ignore[arg-type]
    return replace(found, root=replace(found.root, body=Dag(tasks)))


def test_loops_over_artifacts() -> None:
    typed = graph("typed_list")
    assert isinstance(typed.root.body, Dag)
    loop = typed.root.body.tasks["for-loop-1"].iteration
    assert loop is not None
    (said,) = refusals(changed(typed, "for-loop-1", iteration=replace(loop, artifacts=True)))
    assert said.startswith("for-loop-1: KFP cannot loop over artifacts")
    assert refusals(typed) == ()


def test_conditions_on_importers() -> None:
    condition = parse("inputs.parameter_values['x'] == true")
    (said,) = refusals(changed(graph("imports"), "importer", condition=condition))
    assert said.startswith("importer: KFP has no conditions on importers")
    assert refusals(graph("imports")) == ()


def test_exit_tasks_alone() -> None:
    found = graph("imports")
    alone = changed(changed(found, "importer", even_after_failure=True), "use", even_after_failure=True)
    (said,) = refusals(alone)
    assert said.startswith("the pipeline: KFP needs a task beside the exit tasks")


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", ""),
        ("hello\nbye\n\n", "bye"),
        ("Traceback (most recent call last):\n  File x\n    f()\nOSError: no\n", "OSError: no"),
        (
            "Traceback (most recent call last):\n  f()\nE: a\n\nDuring handling ...\n\n"
            "Traceback (most recent call last):\n  g()\nF: b\nsecond line\nI1021 09:00:00.0 1 x.go:1] done\n",
            "F: b\nsecond line",
        ),
        ("F1021 09:00:01.000000      19 main.go:79] KFP driver: no such input\n", "KFP driver: no such input"),
        ('killed\ntime="2026" level=info\nError: exit status 137\n', "killed"),
    ],
)
def test_the_cause_is_what_the_log_says_last_of_it(log: str, said: str) -> None:
    assert cause(log) == said

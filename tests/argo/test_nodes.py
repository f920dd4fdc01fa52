"""Argo's nodes, read."""

from __future__ import annotations

import pytest

from tidegate.argo.nodes import failure, path_of
from tidegate.argo.step.workflow import failure_of


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("flights-x7k2p", ""),
        ("flights-x7k2p.train", "train"),
        ("flights-x7k2p.train(1)", "train"),
        ("flights-x7k2p.for-loop-1.iteration(3:3).train", "for-loop-1/3/train"),
        ("flights-x7k2p.for-loop-1.iteration(12:12)", "for-loop-1/12"),
    ],
)
def test_a_nodes_path_is_the_one_of_local_runs(name: str, path: str) -> None:
    assert path_of(name) == path


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("main: Error (exit code 1): ValueError: on purpose", "ValueError: on purpose"),
        ("Error (exit code 1): two\nlines", "two\nlines"),
        ("main: Error (exit code 3)", "exit status 3"),
        (
            "main: OOMKilled (exit code 137)",
            "out of memory: the kernel killed the task; raise the limit (set_memory_limit) or give it less data",
        ),
        ("pod deleted", "pod deleted"),
        ("task 'wf.loop.iteration(0:0).say' errored: no such secret", "no such secret"),
        ("failed to evaluate expression: no JSON (1:9)\n | fromJSON(\"!reads 'x'!\")\n | ..^", "reads 'x'"),
    ],
)
def test_a_failure_is_told_in_the_tasks_own_words(message: str, why: str) -> None:
    assert failure(message) == why


RETRIED = {"nodeFlag": {"retried": True}}


def node(
    name: str, phase: str, message: str = "", at: str = "1", kind: str = "Pod", **more: object
) -> dict[str, object]:
    return {"name": name, "phase": phase, "message": message, "finishedAt": at, "type": kind, **more}


def test_a_dag_failed_for_what_failed_in_it_first() -> None:
    found = {
        "0": node("wf.group", "Failed", kind="DAG"),
        "1": node("wf.group.late", "Failed", "main: Error (exit code 1): second", "2"),
        "2": node("wf.group.early", "Failed", "No more retries left", "1", "Retry", children=["3", "4"]),
        "3": node("wf.group.early(0)", "Failed", "main: Error (exit code 1): tried", "0", **RETRIED, startedAt="0"),
        "4": node("wf.group.early(1)", "Failed", "main: Error (exit code 1): first", "1", **RETRIED, startedAt="1"),
        "5": node("wf.other", "Failed", "main: Error (exit code 1): elsewhere", "0"),
    }

    assert failure_of(found, "wf.group") == "group/early: first"
    assert failure_of(found, "wf.other") == "elsewhere"
    assert failure_of(found, "wf.fine") == ""

"""The scheduler's behaviour, construct by construct, on pipelines compiled by kfp itself."""

from __future__ import annotations

import pytest

from tests.local.pipelines import PIPELINES
from tests.local.playing import compiled, play
from tidegate.graph import Work


def arithmetic(work: Work, attempt: int) -> dict[str, object] | Exception:
    """What the components of `pipelines.py` do."""
    given = work.parameters
    match work.component:
        case "add":
            return {"Output": given["a"] + given["b"]}
        case "say":
            return {"Output": given["text"]}
        case "numbers":
            return {"Output": list(range(given["n"]))}
        case "total":
            return {"Output": sum(given["values"])}
        case "fail":
            return ValueError("on purpose")
        case "flaky":
            return {"Output": attempt} if attempt >= given["good_at"] else ValueError(f"attempt {attempt}")
        case "status":
            return {"Output": given["status"]["state"]}
        case "count":
            return {"Output": len(work.artifacts["data"])}
        case "make" | "make-many" | "use":
            return {}
    raise AssertionError(work.component)


@pytest.mark.parametrize("case", PIPELINES, ids=lambda case: case.name)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_construct_means_what_kfp_says(case, seed, tmp_path):
    graph = compiled(case.pipeline, tmp_path)
    played = play(graph, arithmetic, dict(case.parameters), seed=seed)
    assert played.ended is not None
    assert str(played.ended.state) == case.state
    assert played.outputs == case.outputs
    assert {path: played.states[path] for path in case.states} == case.states


@pytest.mark.parametrize("case", PIPELINES, ids=lambda case: case.name)
def test_a_run_killed_between_any_two_events_ends_the_same(case, tmp_path):
    graph = compiled(case.pipeline, tmp_path)
    whole = play(graph, arithmetic, dict(case.parameters))
    for moment in range(1, len(whole.events)):
        broken = play(graph, arithmetic, dict(case.parameters), die_after={moment})
        assert broken.ended is not None and broken.ended.state == whole.ended.state
        assert broken.outputs == whole.outputs
        assert broken.states == whole.states


@pytest.mark.parametrize("case", PIPELINES, ids=lambda case: case.name)
def test_a_cancel_at_any_moment_ends_every_task_once(case, tmp_path):
    graph = compiled(case.pipeline, tmp_path)
    whole = play(graph, arithmetic, dict(case.parameters))
    for moment in range(len(whole.events)):
        played = play(graph, arithmetic, dict(case.parameters), cancel_after=moment)
        assert played.ended is not None


def test_the_machine_is_never_asked_for_more_than_it_has(tmp_path):
    case = next(case for case in PIPELINES if case.name == "fan of 20")
    graph = compiled(case.pipeline, tmp_path)
    assert play(graph, arithmetic, cpu=3).most_at_once == 3
    assert play(graph, arithmetic, cpu=8, max_tasks=2).most_at_once == 2


def test_a_task_that_asks_for_more_than_there_is_fails_and_says_so(tmp_path):
    case = next(case for case in PIPELINES if case.name == "greedy")
    played = play(compiled(case.pipeline, tmp_path), arithmetic, cpu=2)
    assert "asks for 64 cores, and there are 2" in played.errors["add"]

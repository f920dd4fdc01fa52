"""The scheduler's behaviour, construct by construct, on pipelines compiled by kfp itself."""

from __future__ import annotations

import sys

import pytest

from tests.local.pipelines import PIPELINES, Case
from tests.local.playing import compiled, play
from tidegate.graph import Graph, Outputs, Work
from tidegate.local.events import CancelRequested, RunStarted, TaskFailed, TaskSucceeded
from tidegate.local.scheduler import MAX_NODES, advance, start

each_case = pytest.mark.parametrize("case", PIPELINES, ids=lambda case: case.name)


def arithmetic(work: Work, attempt: int) -> dict[str, object] | Exception:
    """What the components of `pipelines.py` do."""
    given = work.parameters
    match work.component:
        case "add" | "add-if-given":
            return {"Output": given["a"] + given["b"]}
        case "say":
            return {"Output": given["text"]}
        case "numbers" | "things":
            return {"Output": list(range(given["n"]))}
        case "total":
            return {"Output": sum(given["values"])}
        case "nested-total":
            return {"Output": sum(sum(inner) for inner in given["values"])}
        case "fail":
            return ValueError("on purpose")
        case "flaky":
            return {"Output": attempt} if attempt >= given["good_at"] else ValueError(f"attempt {attempt}")
        case "status":
            return {"Output": given["status"]["state"]}
        case "count":
            return {"Output": len(work.artifacts["data"])}
        case "note":
            return {"Output": repr(sorted(given.items()))}
        case "make" | "use" | "importer":
            return {}
    raise AssertionError(work.component)


def of(name: str) -> Case:
    return next(case for case in PIPELINES if case.name == name)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory) -> dict[str, tuple[Graph, dict[str, object]]]:
    """Each case's graph, compiled once."""
    folder = tmp_path_factory.mktemp("compiled")
    return {case.name: compiled(case.pipeline, folder, dict(case.parameters)) for case in PIPELINES}


@each_case
def test_each_construct_means_what_kfp_says(case, graphs):
    for seed in range(3):
        played = play(graphs[case.name][0], arithmetic, graphs[case.name][1], seed=seed)
        assert played.ended is not None
        assert str(played.ended.state) == case.state, played.errors
        assert played.outputs == case.outputs
        assert {path: played.states.get(path) for path in case.states} == case.states
        assert {path: dict(played.works[path].parameters) for path in case.inputs} == case.inputs
        for path, words in case.errors.items():
            assert words in played.errors[path]


@each_case
def test_a_run_killed_between_any_two_events_ends_the_same(case, graphs):
    graph, parameters = graphs[case.name]
    whole = play(graph, arithmetic, parameters)
    for moment in range(1, len(whole.events)):
        broken = play(graph, arithmetic, parameters, die_after={moment})
        assert broken.ended is not None and broken.ended.state == whole.ended.state
        assert broken.outputs == whole.outputs
        assert broken.states == whole.states


@each_case
def test_a_cancel_at_any_moment_ends_every_task_once(case, graphs):
    graph, parameters = graphs[case.name]
    whole = play(graph, arithmetic, parameters)
    for moment in range(len(whole.events)):
        played = play(graph, arithmetic, parameters, cancel_after=moment)
        assert set(played.states.values()) <= {"succeeded", "failed", "skipped", "cancelled"}


def test_the_machine_is_never_asked_for_more_than_it_has(graphs):
    graph, _ = graphs["fan of 20"]
    assert play(graph, arithmetic, cpu=3).most_at_once == 3
    assert play(graph, arithmetic, cpu=8, max_tasks=2).most_at_once == 2


def test_memory_that_is_asked_for_is_kept_free(graphs):
    graph, _ = graphs["memory"]
    assert play(graph, arithmetic, cpu=8, memory=5 * 2**30).most_at_once == 2


def test_a_task_that_asks_for_more_than_there_is_fails_and_says_so(graphs):
    assert "asks for 64 cores, and there are 2" in play(graphs["greedy"][0], arithmetic, cpu=2).errors["add"]
    errors = play(graphs["memory"][0], arithmetic, memory=2**30).errors
    assert "asks for 2,048 MiB of memory, and there are 1,024" in errors["add"]


def test_an_exit_task_runs_after_a_cancel_and_learns_of_it(graphs):
    played = play(graphs["exit handler"][0], arithmetic, cancel_after=0)
    assert played.states["status"] == "succeeded"
    assert played.works["status"].parameters["status"]["state"] == "CANCELLED"
    assert str(played.ended.state) == "cancelled"


def test_a_second_cancel_ends_exit_tasks_as_well(graphs):
    graph, _ = graphs["exit handler"]
    state, _ = start(graph, RunStarted(0.0, {}, 4, 0))
    actions: tuple[object, ...] = ()
    for event in (
        CancelRequested(1.0),
        *(TaskFailed(2.0, f"exit-handler-1/{name}", 1, "stopped") for name in ("add", "fail")),
    ):
        state, actions = advance(graph, state, event)
    assert [type(action).__name__ for action in actions][-1] == "Start"
    state, actions = advance(graph, state, CancelRequested(3.0))
    assert [str(action) for action in actions] == ["Stop(path='status')"]
    state, actions = advance(graph, state, TaskFailed(4.0, "status", 1, "stopped"))
    assert str(state.ended) == "cancelled"


def test_importers_and_containers_quote_what_the_run_gives(graphs):
    importer = play(graphs["importer"][0], arithmetic, graphs["importer"][1]).works["importer"].executor
    assert (importer.uri, importer.metadata) == ("/data", {"by": "me", "me": ["me!"]})
    graph, parameters = graphs["resources from parameters"]
    container = play(graph, arithmetic, parameters).works["say"].executor
    assert (container.cpu, container.memory) == (0.5, 2**30)


def test_retries_wait_as_they_were_told(graphs):
    graph, parameters = graphs["retry in a loop"]
    played = play(graph, arithmetic, parameters, cpu=1)
    failures = [event for event in played.events if isinstance(event, TaskFailed)]
    wakes = {(event.path, event.attempt): event.at for event in failures}
    assert played.waits[failures[-1].path][-1] - wakes[failures[-1].path, 3] == 20  # 5 s, 10 s, 20 s


def test_what_cannot_get_better_is_not_tried_again(graphs):
    graph, parameters = graphs["retry"]
    state, _ = start(graph, RunStarted(0.0, parameters, 4, 0))
    state, _ = advance(graph, state, TaskFailed(1.0, "flaky", 1, "no environment for the image", retriable=False))
    assert str(state.ended) == "failed"


def test_a_late_answer_of_an_earlier_attempt_changes_nothing(graphs):
    graph, parameters = graphs["retry"]
    state, _ = start(graph, RunStarted(0.0, parameters, 4, 0))
    state, _ = advance(graph, state, TaskFailed(1.0, "flaky", 1, "no"))
    again, nothing = advance(graph, state, TaskSucceeded(2.0, "flaky", 1, Outputs({"Output": 1})))
    assert again is state and not nothing


def test_a_loop_that_no_machine_could_hold_fails_before_it_begins(graphs):
    played = play(graphs["loop over output"][0], arithmetic, {"n": MAX_NODES})
    assert f"{MAX_NODES} iterations of 2 tasks: more than {MAX_NODES} in one run" in played.errors["for-loop-1"]


@pytest.mark.parametrize("name", ["loop over output", "nested loops over output"])
def test_the_work_of_the_scheduler_grows_with_the_tasks_and_not_faster(name, graphs):
    graph, _ = graphs[name]
    small, large = (calls_of(lambda n=n: play(graph, arithmetic, {"n": n})) for n in (100, 400))
    assert large < 4.6 * small


def calls_of(work) -> int:
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count

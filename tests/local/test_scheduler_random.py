"""What holds of every run, whatever the pipeline, the order of events, and the moment it is cancelled or killed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local.playing import Played, play
from tests.local.random_graphs import graphs
from tidegate.graph import Graph, Work
from tidegate.graph.model import Dag, Task
from tidegate.local import codec

GOOD = ("succeeded", "cached")
ENDS = (*GOOD, "failed", "skipped", "cancelled")
quick = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def add_up(work: Work, attempt: int) -> dict[str, Any] | Exception:
    if work.component.startswith("bad") or (work.component.startswith("flaky") and attempt == 1):
        return ValueError("on purpose")
    given = work.parameters
    return {"Output": given.get("a", 0) + given.get("b", 0) + total(given.get("many", []))}


def total(value: Any) -> int:
    """A loop in a loop gives lists of lists."""
    return sum(map(total, value)) if isinstance(value, list) else value


def run(graph: Graph, **how: Any) -> Played:
    return play(graph, add_up, {"x": 1}, **{"cpu": 2} | how)


def task_at(graph: Graph, path: str) -> tuple[Task, str]:
    """The task that a path leads to, and the path of the DAG that it is in."""
    dag, at, found = graph.root.body, "", None
    for step in path.split("/"):
        if found is not None and found.iteration is not None and at.rpartition("/")[2] == found.name:
            at += f"/{step}"  # the number of an iteration
            continue
        assert isinstance(dag, Dag)
        found, inside = dag.tasks[step], at
        at = f"{at}/{step}" if at else step
        dag = found.component.body
    assert found is not None
    return found, inside


@quick
@given(graphs(), st.integers(0, 9))
def test_every_task_comes_to_exactly_one_end(graph, seed):
    played = run(graph, seed=seed)
    ends = Counter(path for what, path in played.history if what != "start")
    assert set(ends.values()) <= {1}
    assert set(played.states.values()) <= set(ENDS)
    assert set(played.started) <= set(ends)
    assert {path.split("/")[0] for path in ends} == set(graph.root.body.tasks)


@quick
@given(graphs(), st.integers(0, 9))
def test_nothing_starts_before_what_it_waits_for_has_ended_well(graph, seed):
    ended: dict[str, str] = {}
    for what, path in run(graph, seed=seed).history:
        if what != "start":
            ended[path] = what
            continue
        task, inside = task_at(graph, path)
        before = [ended[f"{inside}/{other}" if inside else other] for other in task.after]
        assert all(state in (ENDS if task.even_after_failure else GOOD) for state in before)


@quick
@given(graphs(), st.integers(0, 9))
def test_cores_are_never_promised_twice(graph, seed):
    assert run(graph, seed=seed, cpu=3).most_cores <= 3
    assert run(graph, seed=seed, cpu=64, max_tasks=2).most_at_once <= 2


@quick
@given(graphs(), st.integers(0, 9))
def test_a_loop_has_no_more_iterations_open_than_its_limit(graph, seed):
    history = run(graph, seed=seed, cpu=64).history
    last = {path: position for position, (_, path) in enumerate(history)}
    active: dict[str, set[str]] = {}
    for position, (what, path) in enumerate(history):
        steps = path.split("/")
        for depth in range(2, len(steps)):
            loop, iteration = "/".join(steps[: depth - 1]), "/".join(steps[:depth])
            if not steps[depth - 1].isdigit():
                continue
            limit = task_at(graph, loop)[0].iteration.limit
            running = active.setdefault(loop, set())
            if what == "start":
                running.add(iteration)
            running -= {each for each in running if last[each] < position}
            assert not limit or len(running) <= limit


@quick
@given(graphs(), st.integers(1, 99))
def test_the_order_of_events_changes_neither_states_nor_outputs(graph, seed):
    one, other = run(graph, seed=0), run(graph, seed=seed, cpu=7)
    assert one.states == other.states
    assert one.outputs == other.outputs
    assert one.ended.state == other.ended.state


@quick
@given(graphs(), st.integers(0, 9), st.sets(st.integers(1, 40), max_size=5))
def test_a_run_that_is_killed_again_and_again_ends_the_same(graph, seed, moments):
    whole, broken = run(graph, seed=seed), run(graph, seed=seed, die_after=moments)
    assert broken.states == whole.states
    assert broken.outputs == whole.outputs


@quick
@given(graphs(), st.integers(0, 9), st.integers(0, 20))
def test_after_a_cancel_only_exit_tasks_start_and_the_run_ends(graph, seed, moment):
    played = run(graph, seed=seed, cancel_after=moment)
    assert played.ended is not None
    assert set(played.states.values()) <= set(ENDS)
    for path in played.started_after_cancel:
        assert any(step.startswith("exit") for step in path.split("/"))


@quick
@given(graphs(), st.integers(0, 9))
def test_events_come_back_from_their_text(graph, seed):
    for event in run(graph, seed=seed, cancel_after=6).events:
        assert codec.decode(codec.encode(event)) == event

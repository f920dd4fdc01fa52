"""A driver for the scheduler without processes: tasks are functions of their inputs, the order of ends is chosen."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfp.compiler import Compiler

from tidegate import spec
from tidegate.graph import Artifact, Graph, Outputs, Work
from tidegate.graph.build import build
from tidegate.local.events import (
    Action,
    CancelRequested,
    Event,
    Resumed,
    RetryDue,
    RunEnded,
    RunStarted,
    Settled,
    Start,
    Stop,
    TaskFailed,
    TaskSucceeded,
    Wake,
)
from tidegate.local.scheduler import advance, start
from tidegate.local.state import State

NAMES = {
    "pipeline_job_name": "the-job",
    "pipeline_job_uuid": "1234",
    "pipeline_job_resource_name": "runs/1234",
    "workspace_path": "/workspace",
}
Behaviour = Callable[[Work, int], dict[str, Any] | Exception]


def compiled(pipeline: Any, folder: Path, given: dict[str, Any] | None = None) -> tuple[Graph, dict[str, Any]]:
    """The graph of a KFP pipeline function, and its parameters with defaults."""
    path = folder / "pipeline.yaml"
    Compiler().compile(pipeline, str(path))
    loaded = spec.load(path.read_text(), str(path))
    return build(loaded), spec.check_parameters(loaded, given or {})


@dataclass
class Played:
    """What happened."""

    states: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    works: dict[str, Work] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)
    """(`start` or the end's state, path), in order; an engine that came back starts a running task again."""
    started_after_cancel: list[str] = field(default_factory=list)
    waits: dict[str, list[float]] = field(default_factory=dict)
    """When tasks were to be tried again."""
    most_at_once: int = 0
    most_cores: float = 0.0
    ended: RunEnded | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def outputs(self) -> dict[str, Any]:
        assert self.ended is not None
        return dict(self.ended.outputs.parameters)


def play(
    graph: Graph,
    behaviour: Behaviour,
    parameters: dict[str, Any] | None = None,
    *,
    cpu: float = 4,
    memory: int = 0,
    max_tasks: int = 0,
    seed: int = 0,
    cancel_after: int | None = None,
    die_after: Collection[int] = (),
) -> Played:
    """Run to the end; after `die_after` events the engine forgets everything but the events, and resumes."""
    chance = random.Random(seed)
    played = Played()
    first = RunStarted(0.0, parameters or {}, cpu, memory, max_tasks, NAMES)
    played.events.append(first)
    state, actions = start(graph, first)
    running: dict[str, Start] = {}
    waiting: dict[str, float] = {}
    clock = 0.0
    ended: set[str] = set()

    def perform(todo: tuple[Action, ...]) -> None:
        for action in todo:
            match action:
                case Start(work, _):
                    assert work.path not in running or die_after, f"{work.path} started twice at once"
                    assert work.path not in ended, f"{work.path} started after its end"
                    running[work.path] = action
                    played.started.append(work.path)
                    played.history.append(("start", work.path))
                    if state is not None and state.cancels:
                        played.started_after_cancel.append(work.path)
                    played.works[work.path] = work
                case Stop(path):
                    assert path in running
                case Wake(path, at):
                    waiting[path] = at
                    played.waits.setdefault(path, []).append(at)
                case Settled(path, settled, error):
                    assert path not in ended, f"{path} ended twice"
                    ended.add(path)
                    played.states[path] = str(settled)
                    played.history.append((str(settled), path))
                    played.errors[path] = error
                case RunEnded():
                    assert played.ended is None
                    played.ended = action
        played.most_at_once = max(played.most_at_once, len(running))
        cores = sum(getattr(each.work.executor, "cpu", 0) or 1.0 for each in running.values())
        played.most_cores = max(played.most_cores, cores)

    def tell(event: Event) -> None:
        nonlocal state
        played.events.append(event)
        state, todo = advance(graph, state, event)
        perform(todo)
        if isinstance(event, TaskSucceeded | TaskFailed):  # told twice, it means nothing
            again, nothing = advance(graph, state, event)
            assert again is state and not nothing

    perform(actions)
    count = 0
    while played.ended is None:
        count += 1
        assert count < 100_000, "the run does not end"
        if count - 1 == cancel_after:
            tell(CancelRequested(clock))
            continue
        if count - 1 in die_after:
            state = replay(graph, played.events)
            running.clear()
            waiting.clear()
            tell(Resumed(clock))
            continue
        clock += 1
        assert running or waiting, f"nothing runs, and the run has not ended: {played.states}"
        if running and (not waiting or chance.random() < 0.7):
            path = chance.choice(sorted(running))
            action = running.pop(path)
            made = behaviour(action.work, action.attempt)
            if isinstance(made, Exception):
                tell(TaskFailed(clock, path, action.attempt, str(made)))
            else:
                tell(TaskSucceeded(clock, path, action.attempt, as_outputs(action.work, made)))
        else:
            path = min(waiting, key=lambda each: (waiting[each], each))
            clock = max(clock, waiting.pop(path))
            tell(RetryDue(clock, path))
    assert not running or cancel_after is not None or not ended & set(running)
    return played


def replay(graph: Graph, events: list[Event]) -> State:
    """The state after these events, as an engine that comes back computes it."""
    first, *rest = events
    assert isinstance(first, RunStarted)
    state, _ = start(graph, first)
    for event in rest:
        state, _ = advance(graph, state, event)
    return state


def as_outputs(work: Work, made: dict[str, Any]) -> Outputs:
    artifacts = {
        name: tuple(Artifact(name, f"/made/{work.path}/{name}/{n}") for n in range(2 if kind.is_list else 1))
        for name, kind in work.output_artifacts.items()
    }
    return Outputs({k: v for k, v in made.items() if k in work.output_parameters}, artifacts)

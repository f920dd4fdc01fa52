"""What the engine does grows with the number of tasks, and no faster: counted, not timed."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pytest
from kfp import dsl

import tidegate
from tests.local.playing import compiled
from tidegate.graph import Graph
from tidegate.local.driver import Driver
from tidegate.local.events import RunEnded, RunStarted, RunState
from tidegate.local.execution import Ending, Execution, Outcome
from tidegate.local.lookup import Lookup
from tidegate.local.recording import Recorder
from tidegate.local.watch import RunView
from tidegate.store import RunRecord, Store

FEW, MANY = 20, 120
ENGINE = str(Path(tidegate.__file__).parent)
SLACK = 1.1
"""Trees grow deeper by a little; twice the cost a task would be 2."""


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def add(a: int, b: int) -> int:
    return a + b


@dsl.pipeline(name="loop")
def loop(items: list[int]) -> list[int]:
    with dsl.ParallelFor(items) as item:
        first = add(a=item, b=1)
        second = add(a=first.output, b=1).set_caching_options(False)
    return dsl.Collected(second.output)


def tasks(n: int):  # type: ignore[no-untyped-def]
    @dsl.pipeline(name=f"tasks-{n}")
    def made() -> None:
        last = add(a=0, b=1)
        for number in range(1, n):
            last = add(a=number if number % 2 else last.output, b=1)

    return made


class Instant:
    """An Executor whose tasks have ended as soon as they begin."""

    def fingerprint(self, image: str) -> str:
        return image

    async def run(self, execution: Execution) -> Outcome:
        given = json.loads(execution.workdir.with_name("executor_input.json").read_text())
        values = given["inputs"]["parameterValues"]
        said = {"parameterValues": {"Output": values["a"] + values["b"]}}
        Path(given["outputs"]["outputFile"]).write_text(json.dumps(said))
        return Outcome(Ending.SUCCEEDED)

    async def stop(self, id: str) -> None: ...

    async def close(self) -> None: ...


@dataclass
class Costs:
    ended: RunEnded
    lines: int
    """Of the engine's code, executed: each turn of a loop counts."""
    statements: int
    """That SQLite was given."""
    stored: int
    """Bytes of events."""
    kept: int
    """Nodes of the scheduler's state."""
    changes: int
    """Tasks that observers were told of."""

    def per(self, tasks: int) -> dict[str, float]:
        return {name: getattr(self, name) / tasks for name in ("lines", "statements", "stored", "kept", "changes")}


@contextmanager
def counting() -> Iterator[Counter[str]]:
    lines: Counter[str] = Counter()

    def entered(frame: FrameType, event: str, _):  # type: ignore[no-untyped-def]
        file = frame.f_code.co_filename
        if not file.startswith(ENGINE):
            return None

        def line(_frame: FrameType, event: str, _):  # type: ignore[no-untyped-def]
            lines[file] += event == "line"
            return line

        return line

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        yield lines
    finally:
        sys.settrace(before)


def costs(graph: Graph, parameters: dict[str, object], folder: Path) -> Costs:
    told: Counter[str] = Counter()
    statements = 0

    def heard(_: str) -> None:
        nonlocal statements
        statements += 1

    with Store(folder) as store:
        record = RunRecord("run", graph.name, "running", 0.0, None, "me", "local", parameters, "", "", "")
        store.runs.create(record)
        store.database._connection.set_trace_callback(heard)
        recorder = Recorder(store, RunView("run", graph.name), graph)

        def observer(_view, changed):  # type: ignore[no-untyped-def]
            told.update(task.path for task in changed)

        driver = Driver("run", graph, store, Instant(), recorder, Lookup(store, "run"), folder, observer)
        with counting() as lines:
            ended = asyncio.run(driver.drive(RunStarted(0.0, parameters, 2.0, 0)))
        store.database._connection.set_trace_callback(None)
        assert driver.state is not None
        return Costs(
            ended,
            lines.total(),
            statements,
            sum(map(len, store.runs.events("run"))),
            len(driver.state.nodes),
            told.total(),
        )


@pytest.mark.parametrize("kind", ["iterations", "tasks"])
def test_each_task_costs_the_same_however_many_there_are(kind: str, tmp_path: Path) -> None:
    found = []
    for number in (FEW, MANY):
        folder = tmp_path / str(number)
        folder.mkdir()
        if kind == "iterations":
            items = list(range(number))
            graph, parameters = compiled(loop, folder, {"items": items})
            expected = {"Output": [item + 2 for item in items]}
        else:
            graph, parameters = compiled(tasks(number), folder)
            expected = {}
        cost = costs(graph, parameters, folder / "store")
        assert cost.ended.state is RunState.SUCCEEDED
        assert cost.ended.outputs.parameters == expected
        found.append(cost.per(number))
    few, many = found
    grown = {name: many[name] / few[name] for name in few}
    assert max(grown.values()) < SLACK, (grown, few, many)

"""`--dry-run`: the real scheduler asks the real cache, in a transaction that is rolled back; nothing is started."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.graph.executor_io import OutputError
from tidegate.graph.model import Dag, Graph, Task
from tidegate.graph.work import Importer, Work
from tidegate.local import scheduler
from tidegate.local.environments import NoEnvironment
from tidegate.local.events import Event, RunStarted, Settled, Start, TaskFailed, TaskState, TaskSucceeded
from tidegate.local.execution import Executor
from tidegate.local.importing import bring_in
from tidegate.local.lookup import Lookup
from tidegate.local.state import Node, State, join
from tidegate.store.store import Store

_ENDLESS = 2.0**60
_RUN = "dry-run"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of one task."""

    path: str
    would: str
    """`cached`, `run`, `run later` (its inputs are not known yet), `skip`, `import` or `fail`."""
    why: str = ""
    cached_from: str = ""


class _RolledBackError(Exception):
    """Ends the transaction without keeping what was written in it."""


def foresee(
    graph: Graph,
    parameters: Mapping[str, Any],
    store: Store,
    workers: Executor,
    here: Path,
    caching: bool = True,
    cache_after: float | None = None,
) -> list[Foreseen]:
    """All tasks, in an order in which they could run. `parameters` are checked and complete."""
    lookup = Lookup(store, _RUN, caching, cache_after)
    found: list[Foreseen] = []
    try:
        with store.transaction():
            found = _Asking(graph, lookup, workers, here).all(parameters)
            raise _RolledBackError
    except _RolledBackError:
        return found


class _Asking:
    def __init__(self, graph: Graph, lookup: Lookup, workers: Executor, here: Path) -> None:
        self.graph, self.lookup, self.workers, self.here = graph, lookup, workers, here
        self.known: dict[str, Foreseen] = {}

    def all(self, parameters: Mapping[str, Any]) -> list[Foreseen]:
        names = dict.fromkeys(("pipeline_job_name", "pipeline_job_uuid", "pipeline_job_resource_name"), _RUN)
        first = RunStarted(time.time(), parameters, _ENDLESS, int(_ENDLESS), 0, names)
        state, actions = scheduler.start(self.graph, first)
        left = deque(actions)
        while left:
            action = left.popleft()
            if isinstance(action, Settled) and action.state is TaskState.SKIPPED:
                self.known[action.path] = Foreseen(action.path, "skip", action.error)
            event = self._answer(action.work) if isinstance(action, Start) else None
            if event is not None:
                state, actions = scheduler.advance(self.graph, state, event)
                left.extend(actions)
        return list(self._told("", state))

    def _answer(self, work: Work) -> Event | None:
        """What the cache (or the importer) says; None where the task would run."""
        now = time.time()
        if isinstance(work.executor, Importer):
            try:
                made = asyncio.run(bring_in(work, self.lookup.store, self.here))
            except OutputError as error:
                self.known[work.path] = Foreseen(work.path, "fail", str(error))
                return TaskFailed(now, work.path, 1, str(error), retriable=False)
            self.known[work.path] = Foreseen(work.path, "import", work.executor.uri)
            return TaskSucceeded(now, work.path, 1, made.outputs)
        try:
            answer = self.lookup.ask(work, self.workers.fingerprint(work.executor.image), now)
        except NoEnvironment as error:
            self.known[work.path] = Foreseen(work.path, "fail", str(error))
            return TaskFailed(now, work.path, 1, str(error), retriable=False)
        if answer.outputs is None:
            self.known[work.path] = Foreseen(work.path, "run", answer.why_missed)
            return None
        self.known[work.path] = Foreseen(work.path, "cached", "", answer.cached_from)
        return TaskSucceeded(now, work.path, 1, answer.outputs, answer.cached_from)

    def _told(self, path: str, state: State) -> Iterator[Foreseen]:
        """The tasks at and below an instance, in order; what has not begun is told from the pipeline itself."""
        node = state.nodes[path]
        if path in self.known:
            yield self.known[path]
        elif node.dag is not None:
            for task in node.dag.tasks.values():
                at = join(path, task.name)
                yield from self._told(at, state) if at in state.nodes else _later(at, task)
        else:
            children = sorted((n for n in state.nodes.values() if n.parent == path and n.path), key=_position)
            for child in children:
                yield from self._told(child.path, state)
            if (waiting := len(node.items) - node.opened) > 0:
                yield Foreseen(path, "run later", f"{waiting} more of {len(node.items)} iterations")


def _position(node: Node) -> tuple[int, str]:
    last = node.path.rpartition("/")[2]
    return (int(last) if last.isdecimal() else 0, last)


def _later(path: str, task: Task) -> Iterator[Foreseen]:
    body = task.component.body
    if not isinstance(body, Dag):
        yield Foreseen(path, "run later", f"waits for {', '.join(task.after)}" if task.after else "")
        return
    for inner in body.tasks.values():
        for told in _later(join(path, inner.name), inner):
            outer = f"waits for {', '.join(task.after)}" if task.after else ""
            yield Foreseen(told.path, told.would, told.why or outer)

"""Drives one run: feeds the scheduler events and performs the actions it asks for, until the run ends.

Events and what follows from them are stored in one transaction before any action is performed; whatever kills the
engine, a replay of the stored events leads back to where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.graph.executor_io import OutputError
from tidegate.graph.model import Graph
from tidegate.graph.placeholders import PlaceholderError
from tidegate.graph.work import Importer, Work
from tidegate.local import attempt, codec, scheduler
from tidegate.local.environments import NoEnvironment
from tidegate.local.events import (
    Action,
    CancelRequested,
    Event,
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
from tidegate.local.execution import Ending, Executor
from tidegate.local.importing import bring_in
from tidegate.local.lookup import Lookup
from tidegate.local.recording import Recorder, Report
from tidegate.local.secrets import Secrets, SecretsError, variables
from tidegate.local.state import State
from tidegate.local.watch import Observer
from tidegate.store.database import StoreFull
from tidegate.store.places import task_folder
from tidegate.store.store import Store

_LOOK_SECONDS = 0.25  # between two looks at what running tasks say of themselves
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(slots=True)
class Driver:
    run: str
    graph: Graph
    store: Store
    workers: Executor
    recorder: Recorder
    lookup: Lookup
    here: Path
    """What relative paths of importers count from."""
    observer: Observer | None = None
    secrets: Secrets = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    state: State | None = None
    recorded: int = 0
    """Events stored so far."""
    resumes: int = 0
    """How often the run was resumed: a resumed attempt gets a folder of its own, whoever still writes to the old."""
    _inbox: deque[tuple[Event, Report | None]] = field(default_factory=deque)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[str, tuple[str, asyncio.Task[None]]] = field(default_factory=dict)
    """Path -> the execution's id and what performs it."""
    _stopped: set[str] = field(default_factory=set)
    _side: set[asyncio.Future[Any]] = field(default_factory=set)
    _broken: BaseException | None = None
    _fingerprints: dict[str, str] = field(default_factory=dict)

    async def drive(self, first: Event) -> RunEnded:
        """Run until it ends. Raises: StoreError where it cannot be recorded; the run can then be resumed."""
        self.send(first)
        looking = asyncio.ensure_future(self._look())
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                if self._broken:
                    raise self._broken
                ended = self._take()
                if ended is not None:
                    return ended
        finally:
            looking.cancel()
            await self._let_go()

    def send(self, event: Event, report: Report | None = None) -> None:
        """Tell of something that happened; to be called in the event loop's thread."""
        self._inbox.append((event, report))
        self._woken.set()

    def cancel(self, reason: str) -> None:
        """Cancel the run; the second time its exit tasks as well."""
        self.recorder.view.notice = f"cancelling: {reason}"
        self.send(CancelRequested(self.clock(), reason))

    def abandon(self, error: BaseException) -> None:
        """Stop driving at once; `drive` raises `error`, and the run can be resumed."""
        self._broken = self._broken or error
        self._woken.set()

    # ------------------------------------------------------------ events
    def _take(self) -> RunEnded | None:
        """Store what came in and what follows from it, then act."""
        batch = list(self._inbox)
        self._inbox.clear()
        actions: list[Action] = []
        with self.store.transaction():
            self.store.runs.append(self.run, self.recorded, [codec.encode(event) for event, _ in batch])
            for event, report in batch:
                actions += self._advance(event, report)
        self.recorded += len(batch)
        self._tell()
        ended = None
        for action in actions:
            if isinstance(action, RunEnded):
                ended = action
            else:
                self._perform(action)
        return ended

    def _advance(self, event: Event, report: Report | None) -> tuple[Action, ...]:
        if isinstance(event, RunStarted):
            self.state, actions = scheduler.start(self.graph, event)
        else:
            assert self.state is not None
            self.state, actions = scheduler.advance(self.graph, self.state, event)
        subject = event.path if isinstance(event, TaskSucceeded | TaskFailed) else None
        for action in actions:
            match action:
                case Start(work=work, attempt=number):
                    self.recorder.started(action, event.at, self._folder(work.path, number))
                case Settled(path=path):
                    own = path == subject
                    succeeded = event if own and isinstance(event, TaskSucceeded) else None
                    self.recorder.settled(action, event.at, self.state, succeeded, report if own else None)
                case Wake() if isinstance(event, TaskFailed):
                    self.recorder.waits(event, report)
                case RunEnded():
                    self.recorder.ended(action, event.at)
        return actions

    def _tell(self) -> None:
        changed = tuple(self.recorder.changed.values())
        self.recorder.changed.clear()
        if self.observer:
            self.observer(self.recorder.view, changed)

    async def _look(self) -> None:
        while self.observer:
            await asyncio.sleep(_LOOK_SECONDS)
            said = [task for task in list(self.recorder.view.running.values()) if task.says()]
            if said:
                self.observer(self.recorder.view, said)

    # ------------------------------------------------------------ actions
    def _perform(self, action: Action) -> None:
        match action:
            case Start(work=work, attempt=number):
                id = f"{self.run}/{work.path}/{number}" + (f".{self.resumes}" if self.resumes else "")
                performing = asyncio.ensure_future(self._guarded(self._attempt(id, work, number)))
                self._running[work.path] = id, performing
            case Stop(path=path):
                self._stopped.add(path)
                if path in self._running:
                    self._aside(self.workers.stop(self._running[path][0]))
            case Wake(path=path, at=at):
                delay = max(0.0, at - self.clock())
                loop = asyncio.get_running_loop()
                loop.call_later(delay, lambda: self.send(RetryDue(self.clock(), path)))

    async def _guarded(self, work: Awaitable[None]) -> None:
        """What breaks the engine itself (a full disk) ends the run at once, to be resumed."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._broken = self._broken or error
            self._woken.set()

    async def _attempt(self, id: str, work: Work, number: int) -> None:
        try:
            event, report = await self._answered(id, work, number)
        except OSError as error:
            if error.errno in _FULL:
                raise StoreFull(
                    f"no space is left for {error.filename or self.store.folder}: free some (`tidegate gc` helps), "
                    f"then `tidegate resume {self.run}` continues"
                ) from error
            event = TaskFailed(self.clock(), work.path, number, f"{error.strerror}: {error.filename}")
            report = Report(work)
        del self._running[work.path]
        self._stopped.discard(work.path)
        self.send(event, report)

    async def _answered(self, id: str, work: Work, number: int) -> tuple[Event, Report]:
        """Perform the attempt, or have the cache answer."""

        def failed(error: Exception | str, retriable: bool = True) -> TaskFailed:
            return TaskFailed(self.clock(), work.path, number, str(error), retriable)

        try:
            if isinstance(work.executor, Importer):
                made = await bring_in(work, self.store, self.here)
                return TaskSucceeded(self.clock(), work.path, number, made.outputs), Report(work, None, made.contents)
            answer = self.lookup.ask(work, self._fingerprint(work.executor.image), self.clock())
            if answer.outputs is not None:
                event = TaskSucceeded(self.clock(), work.path, number, answer.outputs, answer.cached_from)
                return event, Report(work, answer)
            folder = self._folder(work.path, number)
            names = {**(self.state.names if self.state else {}), "pipeline_task_uuid": id}
            env = variables(work.executor, self.secrets) if work.executor.env_from else {}
            given, execution = attempt.prepare(work, id, folder, names, env)
        except (NoEnvironment, SecretsError, PlaceholderError, OutputError) as error:
            return failed(error, retriable=False), Report(work)
        if work.path in self._stopped:
            return failed("stopped before it began"), Report(work, answer)
        outcome = await self.workers.run(execution)
        if outcome.ending is not Ending.SUCCEEDED:
            await attempt.tidy(folder, succeeded=False)
            said = outcome.error or outcome.ending.value
            return failed(said, outcome.ending is not Ending.REFUSED), Report(work, answer, outcome=outcome)
        try:
            made = await attempt.collect(work, given)
        except OutputError as error:
            await attempt.tidy(folder, succeeded=False)
            return failed(error), Report(work, answer, outcome=outcome)
        await attempt.tidy(folder, succeeded=True)
        event = TaskSucceeded(self.clock(), work.path, number, made.outputs)
        return event, Report(work, answer, made.contents, outcome)

    def _fingerprint(self, image: str) -> str:
        if image not in self._fingerprints:
            self._fingerprints[image] = self.workers.fingerprint(image)
        return self._fingerprints[image]

    def _folder(self, path: str, number: int) -> Path:
        name = f"attempt-{number}.{self.resumes}" if self.resumes else f"attempt-{number}"
        return Path(f"{task_folder(self.store.runs.folder(self.run), path)}/{name}")

    # ------------------------------------------------------------ the end
    def _aside(self, work: Coroutine[Any, Any, Any]) -> None:
        future = asyncio.ensure_future(self._guarded(work))
        self._side.add(future)
        future.add_done_callback(self._side.discard)

    async def _let_go(self) -> None:
        """Stop what still runs: nothing does where the run ended by itself."""
        left = [task for _, task in self._running.values()] + list(self._side)
        for task in left:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*left, return_exceptions=True)


def replay(graph: Graph, events: list[str]) -> tuple[State, int]:
    """The state that stored events lead to, and how often the run was resumed. Raises: ValueError."""
    first = codec.decode(events[0])
    if not isinstance(first, RunStarted):
        raise ValueError("the first event of a run is its start")
    state, _ = scheduler.start(graph, first)
    resumes = 0
    for text in events[1:]:
        event = codec.decode(text)
        resumes += type(event).__name__ == "Resumed"
        state, _ = scheduler.advance(graph, state, event)
    return state, resumes

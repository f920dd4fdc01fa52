"""Runs pipelines on this machine: start, resume, retry, cancel."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets as random
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tidegate.graph.build import build
from tidegate.graph.following import following
from tidegate.graph.model import Graph
from tidegate.local import codec, machine, settings
from tidegate.local.driver import Driver, replay
from tidegate.local.events import Event, Resumed, RunStarted, TaskSucceeded
from tidegate.local.execution import Executor
from tidegate.local.load import Pipeline
from tidegate.local.lookup import Earlier, Lookup
from tidegate.local.recording import Recorder
from tidegate.local.secrets import load_secrets
from tidegate.local.watch import Observer, RunView
from tidegate.spec import check_parameters, load
from tidegate.store.database import StoreError
from tidegate.store.locks import RunLock, ask
from tidegate.store.places import run_id
from tidegate.store.records import RunRecord
from tidegate.store.store import Store


@dataclass(frozen=True, slots=True)
class Options:
    """How to run; kept with the run, so that a resumed one goes on the same way."""

    caching: bool = True
    cache_after: float | None = None
    """Seconds since the epoch: what the cache has from before does not answer."""
    cpu: float = 0.0
    """Cores that tasks may use together; 0: what `[tool.tidegate.limits]` says, else what the machine has."""
    memory: int = 0
    """Bytes, likewise."""
    max_tasks: int = 0
    """Tasks at the same time; 0: as many as cores and memory allow."""
    secrets: str = ""
    """The file that secrets and config maps come from (see `secrets.load_secrets`)."""
    here: str = ""
    """The folder that relative paths of importers count from; empty: the working folder."""
    again: str = ""
    """The task to do again in any case, with all that follows (`retry --from`)."""


async def run(
    pipeline: Pipeline,
    parameters: Mapping[str, Any],
    *,
    store: Store,
    workers: Executor,
    observer: Observer | None = None,
    options: Options | None = None,
    command: str = "",
    name: str = "",
) -> RunRecord:
    """Run a pipeline to its end, however it ends; the record says how.

    `command`: what the user typed, kept for whoever looks at the run later. `name`: what the run's id begins with.
    Raises: SpecError before anything starts; StoreError where the run cannot be recorded (it can then be resumed).
    """
    begun = _Begun.new(pipeline, parameters, store, options or Options(), command, name)
    return await begun.drive(workers, observer)


async def resume(reference: str, *, store: Store, workers: Executor, observer: Observer | None = None) -> RunRecord:
    """Continue a run whose engine died, from exactly where it was. One that failed or was cancelled is retried.

    Raises: StoreError where there is nothing to continue, or another process drives it.
    """
    record = store.runs.get(reference)
    if record.state in ("failed", "cancelled"):
        return await retry(record.id, store=store, workers=workers, observer=observer)
    if record.state == "succeeded":
        raise StoreError(f"run {record.id} succeeded: nothing is left to do")
    return await _Begun.reopened(record, store).drive(workers, observer)


async def retry(
    reference: str,
    *,
    store: Store,
    workers: Executor,
    from_task: str = "",
    pipeline: Pipeline | None = None,
    parameters: Mapping[str, Any] | None = None,
    observer: Observer | None = None,
    options: Options | None = None,
    command: str = "",
) -> RunRecord:
    """A new run that takes over what the other one finished, wherever the inputs are still the same.

    `from_task`: done again in any case, with all that follows. `pipeline`, `parameters`: changed ones (parameters add
    to those of before).
    Raises: StoreError, SpecError.
    """
    before = store.runs.get(reference)
    if before.state == "running":
        raise StoreError(f"run {before.id} is still running: `tidegate cancel {before.id}` first")
    again = store.runs.task(before.id, from_task).path if from_task else ""
    begun = _Begun.new(
        pipeline or Pipeline(before.spec, None, before.pipeline),
        {**before.parameters, **(parameters or {})},
        store,
        replace(options or _options(before), again=again),
        command or before.command,
        parent=before,
    )
    return await begun.drive(workers, observer)


def cancel(reference: str, *, store: Store, reason: str = "`tidegate cancel`") -> str:
    """Tell the process that drives a run to cancel it; gives the run's id. Asked again, exit tasks end as well.

    Raises: StoreError where no process drives it.
    """
    record = store.runs.get(reference)
    if record.state == "running" and ask(store.runs.folder(record.id), f"cancel {reason}"):
        return record.id
    hint = f"`tidegate resume {record.id}` would continue it" if record.state == "interrupted" else ""
    raise StoreError(f"run {record.id} is not running: it is {record.state}" + (f"; {hint}" if hint else ""))


@dataclass(slots=True)
class _Begun:
    """A run that this process may drive: it holds the lock."""

    record: RunRecord
    graph: Graph
    store: Store
    lock: RunLock
    first: Event
    options: Options
    finished: Mapping[str, Earlier]
    events: list[str]
    """Those stored before."""

    @classmethod
    def new(
        cls,
        pipeline: Pipeline,
        parameters: Mapping[str, Any],
        store: Store,
        options: Options,
        command: str,
        name: str = "",
        parent: RunRecord | None = None,
    ) -> _Begun:
        spec = load(pipeline.spec, pipeline.where)
        values = check_parameters(spec, parameters)
        graph = build(spec)
        now = time.time()
        id = run_id(name or graph.name, datetime.fromtimestamp(now), random.randbits(16))  # local: it is to be read
        options = _completed(options)
        source = pipeline.source
        record = RunRecord(
            id=id,
            pipeline=graph.name,
            state="running",
            created=now,
            ended=None,
            user=machine.user(),
            engine="local",
            parameters=values,
            error="",
            code=machine.code_version(source.parent) if source else (parent.code if parent else ""),
            spec=pipeline.spec,
            command=command,
            parent=parent.id if parent else "",
            settings=asdict(options),
        )
        lock = RunLock(store.runs.folder(id))
        try:
            store.runs.create(record)
            finished = _finished(store, parent) if parent else {}
        except BaseException:
            lock.close()
            raise
        return cls(record, graph, store, lock, _start(record, options, store), options, finished, [])

    @classmethod
    def reopened(cls, record: RunRecord, store: Store) -> _Begun:
        lock = RunLock(store.runs.folder(record.id))
        try:
            options = _options(record)
            events = store.runs.events(record.id)
            parent = store.runs.get(record.parent) if record.parent else None
            finished = _finished(store, parent) if parent else {}
            first = Resumed(time.time()) if events else _start(record, options, store)
            graph = build(load(record.spec, record.id))
        except BaseException:
            lock.close()
            raise
        return cls(record, graph, store, lock, first, options, finished, events)

    async def drive(self, workers: Executor, observer: Observer | None) -> RunRecord:
        record, store, options = self.record, self.store, self.options
        try:
            view = RunView(record.id, record.pipeline, started=record.created)
            recorder = Recorder(store, view, self.graph)
            recorder.remember(record.tasks)
            lookup = Lookup(
                store, record.id, options.caching, options.cache_after, self.finished,
                options.again, following(self.graph, options.again) if options.again else frozenset(),
            )  # fmt: skip
            driver = Driver(
                record.id,
                self.graph,
                store,
                workers,
                recorder,
                lookup,
                Path(options.here),
                observer,
                load_secrets(Path(options.secrets)) if options.secrets else {},
            )
            if self.events:
                driver.state, driver.resumes = replay(self.graph, self.events)
                driver.resumes += 1
                driver.recorded = len(self.events)
            with _listening(driver, self.lock):
                await driver.drive(self.first)
            return store.runs.get(record.id)
        finally:
            self.lock.close()


def _start(record: RunRecord, options: Options, store: Store) -> RunStarted:
    created = datetime.fromtimestamp(record.created).astimezone().isoformat()
    folder = store.runs.folder(record.id)
    names = {
        "pipeline_job_name": record.id,
        "pipeline_job_uuid": record.id,
        "pipeline_job_resource_name": record.id,
        "pipeline_task_uuid": record.id,
        "pipeline_root": str(folder),
        "pipeline_job_create_time_utc": created,
        "pipeline_job_schedule_time_utc": created,
        "workspace_path": str(folder / "workspace"),
    }
    if "workspace_path" in record.spec:
        (folder / "workspace").mkdir(exist_ok=True)
    return RunStarted(record.created, record.parameters, options.cpu, options.memory, options.max_tasks, names)


def _completed(options: Options) -> Options:
    limits = settings.load(Path(options.here)).limits
    said = asdict(options)
    said["cpu"] = options.cpu or limits.cpu or machine.cores()
    said["memory"] = options.memory or limits.memory or machine.memory()
    said["max_tasks"] = options.max_tasks or limits.tasks
    said["here"] = str(Path(options.here).absolute())
    said["secrets"] = str(Path(options.secrets).absolute()) if options.secrets else ""
    return Options(**said)


def _options(record: RunRecord) -> Options:
    known = Options.__slots__
    return Options(**{name: value for name, value in record.settings.items() if name in known})


def _finished(store: Store, parent: RunRecord) -> dict[str, Earlier]:
    """What the run to retry has finished, by path."""
    tasks = {task.path: task for task in parent.tasks}
    found: dict[str, Earlier] = {}
    for text in store.runs.events(parent.id):
        event = codec.decode(text)
        task = tasks.get(event.path) if isinstance(event, TaskSucceeded) else None
        if isinstance(event, TaskSucceeded) and task and task.cache_key and task.state in ("succeeded", "cached"):
            outputs = codec.encode_outputs(event.outputs)
            found[event.path] = Earlier(parent.id, event.path, task.cache_key, outputs, event.cached_from)
    return found


@contextlib.contextmanager
def _listening(driver: Driver, lock: RunLock) -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel: the first time exit tasks still run, the second time they end, the third time we go.
    So does what other processes write into the run's control pipe.
    """
    loop = asyncio.get_running_loop()
    signals = 0

    def signalled(number: int) -> None:
        nonlocal signals
        signals += 1
        if signals > 2:
            driver.abandon(KeyboardInterrupt())
        else:
            driver.cancel("Ctrl-C" if number == signal.SIGINT else "SIGTERM")

    def asked() -> None:
        with contextlib.suppress(BlockingIOError):
            for line in os.read(lock.control, 65536).decode(errors="replace").splitlines():
                if line.startswith("cancel"):
                    driver.cancel(line.removeprefix("cancel").strip() or "asked to")

    mine = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    loop.add_reader(lock.control, asked)
    for number in mine:
        loop.add_signal_handler(number, signalled, number)
    try:
        yield
    finally:
        for number in mine:
            loop.remove_signal_handler(number)
        loop.remove_reader(lock.control)

"""`from tidegate import run`: pipelines from scripts, tests and notebooks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.local import engine, settings
from tidegate.local import progress as showing
from tidegate.local.load import Pipeline, load_pipeline
from tidegate.local.results import OutputArtifact, Result, RunFailed, TaskResult, result_of
from tidegate.local.watch import Observer, RunView, TaskView
from tidegate.local.workers import Workers
from tidegate.store.database import StoreError
from tidegate.store.places import store_folder
from tidegate.store.records import RunRecord
from tidegate.store.store import Store

__all__ = ["OutputArtifact", "Result", "RunFailed", "TaskResult", "run"]


def run(
    pipeline: Any,
    parameters: Mapping[str, Any] | None = None,
    *,
    store: str | Path | None = None,
    caching: bool = True,
    check: bool = True,
    progress: bool | None = None,
    max_tasks: int = 0,
    secrets: str | Path = "",
    settings_from: str | Path | None = None,
) -> Result:
    """Run a pipeline on this machine and wait for it.

    pipeline: a function with kfp's `@dsl.pipeline`, or what `tidegate run` takes (`pipeline.py`, `pipeline.yaml`, ...).
    parameters: its parameters by name.
    store: the store's folder; by default TIDEGATE_STORE, else what the settings say, else `.tidegate` in the project.
    check: raise where the run does not succeed; False: the result says so.
    progress: show how it goes; by default in notebooks and on terminals.
    secrets: a file with the secrets and config maps that tasks take.
    settings_from: the folder whose pyproject.toml or tidegate.toml holds; by default the working folder.

        result = run("pipeline.py", {"rows": 100})
        result.tasks["train"].outputs["model"].path

    Works inside a running event loop (a notebook's) too. Ctrl-C cancels the run, and RunFailed tells how to go on.
    Raises: RunFailed; PipelineError, SpecError, SettingsError and StoreError where it cannot start.
    """
    held = settings.load(Path(settings_from) if settings_from else None)
    given = store or os.environ.get("TIDEGATE_STORE") or held.store
    loaded = load_pipeline(pipeline, cache=store_folder(given) / "compiled")
    limits = held.limits
    options = engine.Options(
        caching=caching,
        cpu=limits.cpu,
        memory=limits.memory,
        max_tasks=max_tasks or limits.tasks,
        secrets=str(secrets),
    )
    shows = showing.observer(progress)
    call = _Call(loaded, parameters or {}, Path(given), held, options, shows)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        record = asyncio.run(call.perform())
    else:
        record = call.in_a_thread()
    result = result_of(record)
    if check and not result.succeeded:
        raise RunFailed(result)
    return result


class _Call:
    def __init__(
        self,
        pipeline: Pipeline,
        parameters: Mapping[str, Any],
        store: Path,
        held: settings.Settings,
        options: engine.Options,
        shows: Observer | None,
    ) -> None:
        self._pipeline, self._parameters, self._store = pipeline, parameters, store
        self._held, self._options, self._shows = held, options, shows
        self._run = ""
        self._ended: RunRecord | BaseException | None = None

    async def perform(self) -> RunRecord:
        workers = Workers(self._held)
        try:
            with Store(self._store) as store:
                return await engine.run(
                    self._pipeline,
                    self._parameters,
                    store=store,
                    workers=workers,
                    observer=self._observe,
                    options=self._options,
                    command=f"run({self._pipeline.where!r})",
                )
        finally:
            await workers.close()

    def in_a_thread(self) -> RunRecord:
        """Where this thread has an event loop of its own; Ctrl-C still cancels."""
        thread = threading.Thread(target=self._in_thread, name="tidegate-run", daemon=True)
        thread.start()
        asked = 0
        while thread.is_alive():
            try:
                thread.join(0.2)
            except KeyboardInterrupt:
                asked += 1
                if asked > 2 or not self._cancel():
                    raise
        if isinstance(self._ended, BaseException):
            raise self._ended
        assert self._ended is not None
        return self._ended

    def _in_thread(self) -> None:
        try:
            self._ended = asyncio.run(self.perform())
        except BaseException as error:
            self._ended = error

    def _cancel(self) -> bool:
        try:
            with Store(self._store) as store:
                return bool(engine.cancel(self._run, store=store, reason="Ctrl-C"))
        except StoreError:
            return False

    def _observe(self, view: RunView, changed: Sequence[TaskView]) -> None:
        self._run = view.id
        if self._shows:
            self._shows(view, changed)

"""Following a run on a cluster: the same table, lines, outcome and exit code as a local run's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tidegate.cli import plain
from tidegate.cli.clusters import copy_log, look
from tidegate.cli.failures import Exit
from tidegate.cli.output import Format, emit
from tidegate.cli.running import CODES, progress
from tidegate.cli.terminal import stderr
from tidegate.cli.views import outcome
from tidegate.cluster.observed import ENDS, Cluster, ClusterError, Observed, UnreachableError
from tidegate.local.events import RunState, TaskState
from tidegate.local.watch import Observer, RunView, TaskView
from tidegate.store.records import RunRecord, TaskRecord
from tidegate.store.store import Store

_SECONDS = 1.0
"""Between two looks while the run goes on; longer where the cluster does not answer."""
_SLOWEST_SECONDS = 15.0
_COPIES = 4  # logs that are copied at the same time
_KEPT = ("succeeded", "failed")


def drive(store: Store, run: RunRecord, cluster: Cluster, output: Format, quiet: bool) -> int:
    """Follow the run to its end and print what came of it; gives the exit code. Ctrl-C lets it go on by itself."""
    try:
        with progress(output, quiet) as observer:
            record = follow(store, run, cluster, observer)
    except KeyboardInterrupt:
        stderr().print(
            f"run {run.id} goes on on {run.engine}: `tidegate resume {run.id}` follows it again, "
            f"`tidegate cancel {run.id}` stops it"
        )
        return Exit.INTERRUPTED
    emit(output, lambda: plain.whole_run(record), lambda to, _wide: outcome.told(record, time.time(), to, quiet))
    return CODES.get(record.state, Exit.FAILED)


def follow(
    store: Store,
    run: RunRecord,
    cluster: Cluster,
    observer: Observer | None,
) -> RunRecord:
    """Look until the run has ended; logs of tasks that ended are copied into the store meanwhile.

    A cluster that does not answer is asked again and again: the run goes on there. Raises: ClusterError where it
    refuses.
    """
    following = _Following(store, run, cluster, observer)
    pause = _SECONDS
    with ThreadPoolExecutor(_COPIES, "log") as copying:
        while True:
            try:
                observed = following.look(copying)
                pause = _SECONDS
            except UnreachableError as error:
                following.notice(f"{error}; the run goes on, trying again")
                pause = min(pause * 2, _SLOWEST_SECONDS)
                observed = None
            if observed is not None and observed.state in ENDS:
                break
            time.sleep(pause)
        following.copied()
    following.ended(observed)
    return store.runs.get(run.id)


class _Following:
    def __init__(self, store: Store, run: RunRecord, cluster: Cluster, observer: Observer | None) -> None:
        self.store, self.run, self.cluster, self.observer = store, store.runs.get(run.id), cluster, observer
        self.view = RunView(run.id, run.pipeline, started=run.created)
        self.copies: list[Future[None]] = []
        self._tell([_seen(self.view, task) for task in self.run.tasks])

    def look(self, copying: ThreadPoolExecutor) -> Observed:
        observed, changed = look(self.store, self.run, self.cluster)
        self.run = self.store.runs.get(self.run.id)
        for task in changed:
            if task.kind == "task" and task.state in _KEPT:
                pod = observed.pods.get(task.path, "")
                self.copies.append(copying.submit(self._copy, task, pod))
        notice = self.view.notice
        self.view.notice = observed.notice
        if changed or notice != observed.notice:
            self._tell([_seen(self.view, task) for task in changed])
        return observed

    def notice(self, text: str) -> None:
        self.view.notice = text
        self._tell([])

    def copied(self) -> None:
        for copy in self.copies:
            copy.result()

    def ended(self, observed: Observed) -> None:
        self.view.state, self.view.ended = RunState(observed.state), observed.ended
        self.view.error, self.view.outputs = observed.error, observed.outputs
        self._tell([])

    def _copy(self, task: TaskRecord, pod: str) -> None:
        with contextlib.suppress(ClusterError, OSError):  # a pod that is gone takes its log along
            copy_log(self.cluster, self.run, task, pod)

    def _tell(self, changed: Sequence[TaskView]) -> None:
        if self.observer is not None:
            self.observer(self.view, changed)


def _seen(view: RunView, task: TaskRecord) -> TaskView:
    said = [each.metadata for found in task.outputs.values() for each in found]
    seen = view.task(
        task.path,
        component=task.component,
        kind=task.kind,
        state=TaskState(task.state),
        attempt=task.attempt,
        started=task.started,
        ended=task.ended,
        cached_from=task.cached_from,
        why_missed=task.why_missed,
        error=task.error,
        message=task.progress,
        rows=next((rows for each in said if (rows := _whole(each.get("rows"))) is not None), None),
        verdict=next((text for each in said if isinstance(text := each.get("verdict"), str)), ""),
    )
    view.total = max(view.total, sum(each.kind == "task" for each in view.tasks.values()))
    return seen


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

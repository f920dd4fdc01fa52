"""From what the user types (`latest`, `latest:flights`, a beginning of an id, a task's name) to what is meant."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.cli.failures import CommandError, Exit, near

_RECENT = re.compile(r"(?:latest|last)(?::([^~]+))?(?:~(\d+))?")

if TYPE_CHECKING:
    from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord
    from tidegate.store.store import Store


def store_folder(given: Path | None) -> Path:
    """`--store`, else TIDEGATE_STORE, else what the settings' file says, else `.tidegate` in the project's root."""
    from tidegate.store import places

    if given is None and not os.environ.get("TIDEGATE_STORE"):
        from tidegate.local.settings import load

        if (settings := load()).source is not None:
            return settings.store
    return places.store_folder(given)


def open_store(folder: Path | None, make: bool = True) -> Store:
    """The store of `--store`; with `make=False` looking does not make one where there is none."""
    from tidegate.store.store import Store

    place = store_folder(folder)
    if not make and not (place / "store.db").exists():
        raise CommandError(
            f"there is no store in {place}: nothing has run there",
            fix="`tidegate run PIPELINE` makes one; --store or TIDEGATE_STORE name another",
            code=Exit.USAGE,
        )
    return Store(place)


def find_run(store: Store, reference: str, as_stored: bool = False) -> RunRecord:
    """The run that is meant, with its tasks: `latest`, `latest~1` (one before), `latest:flights`, a pipeline's name,
    or a unique part of an id. A run that goes on on a cluster is brought up to date, unless `as_stored`.

    Raises: CommandError that offers what is near.
    """
    from tidegate.cli.clusters import fresh
    from tidegate.store.database import StoreError

    name = reference
    if recent := _RECENT.fullmatch(reference):
        pipeline, back = recent[1] or "", int(recent[2] or 0)
        newest = store.runs.listing(pipeline=pipeline, limit=back + 1)
        if newest and len(newest) <= back:
            raise CommandError(f"{reference}: there are only {len(newest)} runs", fix="`tidegate runs` lists them")
        if not newest and pipeline:
            known = sorted({record.pipeline for record in store.runs.listing()})
            raise CommandError(
                f"no run of a pipeline {pipeline!r}",
                expected=f"one of {', '.join(known)}" if known else "a pipeline that has run; none has, in this store",
                fix=near(pipeline, known),
            )
        name = newest[-1].id if newest else reference
    try:
        found = store.runs.get(name)
    except StoreError as error:
        ids = [record.id for record in store.runs.listing(limit=200)]
        raise CommandError(str(error), fix=near(reference, ids) or "`tidegate runs` lists them") from error
    return found if as_stored else fresh(store, found)


def find_task(run: RunRecord, reference: str) -> TaskRecord:
    """The task at this path, or whose path ends with it. Raises: CommandError that offers what is near."""
    paths = [task.path for task in run.tasks]
    wanted = reference.strip("/")
    found = [task for task in run.tasks if task.path == wanted]
    found = found or [task for task in run.tasks if task.path.endswith("/" + wanted)]
    found = found or [task for task in run.tasks if task.path.replace("-", "_") == wanted.replace("-", "_")]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(task.path for task in found[:5])
        raise CommandError(f"task {reference!r} of run {run.id} could be {some}", fix="give more of the path")
    raise CommandError(
        f"run {run.id} has no task {reference!r}",
        expected=f"one of {', '.join(paths[:12])}{', ...' if len(paths) > 12 else ''}" if paths else "",
        found="" if paths else "no task of it has started",
        fix=near(wanted, paths) or f"`tidegate show {run.id}` lists its tasks",
    )


def find_artifact(store: Store, reference: str) -> ArtifactRecord:
    """The artifact that is meant: an id, a digest, a URI, a path, `RUN/TASK/OUTPUT`, or the newest with that output's
    name. Raises: CommandError.
    """
    from tidegate.store.database import StoreError

    try:
        return store.artifacts.get(reference)
    except StoreError as error:
        if newest := store.artifacts.listing(name=reference, limit=1):
            return newest[0]
        if reference.count("/") < 2 or reference.startswith(("/", ".")):
            raise CommandError(str(error), fix=_ARTIFACT_WAYS) from error
    run_name, _, rest = reference.partition("/")
    task_name, _, output = rest.rpartition("/")
    task = find_task(find_run(store, run_name), task_name)
    if output not in task.outputs or not task.outputs[output]:
        raise CommandError(
            f"task {task.path} of run {task.run} has no output artifact {output!r}",
            expected=f"one of {', '.join(task.outputs)}" if task.outputs else "",
            found="" if task.outputs else f"the task gave none; it is {task.state}",
            fix=near(output, list(task.outputs)),
        )
    return task.outputs[output][0]


_ARTIFACT_WAYS = (
    "say RUN/TASK/OUTPUT (`latest/trainer/model`), an output's name, an id, a digest's beginning, or a path"
)

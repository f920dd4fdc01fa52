"""Runs, their events (the truth) and their tasks (a projection of the events, for those who look)."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.store.artifacts import IN, OUT, Artifacts
from tidegate.store.database import Database, StoreError
from tidegate.store.locks import is_held
from tidegate.store.records import RunRecord, TaskRecord

# fmt: off
_COPIED = (
    "component", "kind", "state", "attempt", "created", "started", "ended", "cached_from", "cache_key", "why_missed",
    "error", "cpu_seconds", "peak_memory", "folder",
)
# fmt: on
_TASK_FIELDS = {*_COPIED, "parameters", "outputs"}
LOG = "log.txt"
PROGRESS = "progress.json"


class Runs:
    def __init__(self, database: Database, folder: Path, artifacts: Artifacts) -> None:
        self._database = database
        self._folder = folder
        self._artifacts = artifacts

    def folder(self, run: str) -> Path:
        """The run's folder: `runs/<run>/tasks/<path>/attempt-<n>/`."""
        return self._folder / run

    # ------------------------------------------------------------ recording
    def create(self, record: RunRecord) -> None:
        """Record a new run. Raises: StoreError if the id is taken."""
        digest = hashlib.sha256(record.spec.encode("utf-8", "surrogatepass")).hexdigest()
        with self._database.transaction():
            if self._database.first("SELECT 1 FROM runs WHERE id = ?", record.id):
                raise StoreError(f"there is a run {record.id!r} already")
            self._database.execute("INSERT OR IGNORE INTO specs (digest, text) VALUES (?, ?)", digest, record.spec)
            self._database.execute(
                "INSERT INTO runs (id, pipeline, state, created, user, engine, parameters, code, spec, command, "
                "settings, parent) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *(record.id, record.pipeline, record.state, record.created, record.user, record.engine),
                *(_json(record.parameters), record.code, digest, record.command, _json(record.settings), record.parent),
            )

    def update(
        self, run: str, *, state: str, ended: float | None, error: str = "", outputs: Mapping[str, Any] | None = None
    ) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE runs SET state = ?, ended = ?, error = ?, outputs = ? WHERE id = ?",
                *(state, ended, error, _json(outputs or {}), run),
            )

    def append(self, run: str, first: int, events: Sequence[str]) -> None:
        """Append events, the first of which has the number `first`.

        Raises: StoreError where that number is taken: another engine has the run.
        """
        with self._database.transaction():
            try:
                for seq, event in enumerate(events, first):
                    self._database.execute("INSERT INTO events (run, seq, event) VALUES (?, ?, ?)", run, seq, event)
            except sqlite3.IntegrityError as error:
                raise StoreError(f"another engine is writing the events of run {run}") from error

    def events(self, run: str) -> list[str]:
        return [
            row["event"] for row in self._database.query("SELECT event FROM events WHERE run = ? ORDER BY seq", run)
        ]

    def put_task(self, run: str, path: str, **fields: Any) -> None:
        """Insert or change a task's row; only the fields given change."""
        unknown = fields.keys() - _TASK_FIELDS
        if unknown:
            raise TypeError(f"tasks have no {sorted(unknown)}")
        for name in ("parameters", "outputs"):
            if name in fields:
                fields[name] = _json(fields[name])
        names = ", ".join(fields)
        marks = ", ".join("?" * len(fields))
        changes = ", ".join(f"{name} = excluded.{name}" for name in fields)
        sql = (
            f"INSERT INTO tasks (run, path, {names}) VALUES (?, ?, {marks}) "  # noqa: S608
            f"ON CONFLICT (run, path) DO UPDATE SET {changes}"
        )
        self._database.execute(sql, run, path, *fields.values())

    # ------------------------------------------------------------ looking
    def listing(self, pipeline: str = "", limit: int = -1) -> list[RunRecord]:
        """Runs without their tasks, newest first."""
        rows = self._database.query(
            "SELECT runs.*, '' AS text FROM runs WHERE collected IS NULL AND (? = '' OR pipeline = ?) "
            "ORDER BY created DESC, id DESC LIMIT ?",
            *(pipeline, pipeline, limit),
        )
        return [self._record(row) for row in rows]

    def resolve(self, reference: str) -> str:
        """A run's id from the id, its beginning or end, a pipeline's name (its last run), or `latest`.

        Raises: StoreError that lists what there is.
        """
        rows = self._database.query("SELECT id, pipeline FROM runs ORDER BY created DESC, id DESC")
        ids = [row["id"] for row in rows]
        if reference in ids:
            return reference
        if reference in ("latest", "last") and ids:
            return str(ids[0])
        of_pipeline = [row["id"] for row in rows if row["pipeline"] == reference]
        if of_pipeline:
            return str(of_pipeline[0])
        near = [id for id in ids if reference and (id.startswith(reference) or id.endswith(reference))]
        if len(near) == 1:
            return str(near[0])
        if near:
            raise StoreError(f"run {reference!r} could be {', '.join(near[:5])}: give more of the name")
        some = f"the last ones are {', '.join(ids[:5])}" if ids else "the store has no runs yet"
        raise StoreError(f"no run {reference!r} in {self._folder.parent}: {some}")

    def get(self, reference: str) -> RunRecord:
        """The run with its tasks, in order of start. Raises: StoreError."""
        run = self.resolve(reference)
        row = self._database.query(
            "SELECT runs.*, text FROM runs JOIN specs ON specs.digest = runs.spec WHERE id = ?", run
        )[0]
        return self._record(row, self.tasks(run))

    def tasks(self, run: str) -> tuple[TaskRecord, ...]:
        rows = self._database.query("SELECT * FROM tasks WHERE run = ? ORDER BY rowid", run)
        taken, given = self._artifacts.of_run(run, IN), self._artifacts.of_run(run, OUT)
        return tuple(
            TaskRecord(
                run=run,
                log=f"{row['folder']}/{LOG}" if row["folder"] else "",
                inputs=taken.get(row["path"], {}),
                outputs=given.get(row["path"], {}),
                output_parameters=json.loads(row["outputs"]),
                progress=_said(row["folder"]) if row["state"] == "running" else "",
                parameters=json.loads(row["parameters"]),
                **{name: row[name] for name in (*_COPIED, "path")},
            )
            for row in rows
        )

    def maker(self, cache_key: str) -> str:
        """The last run known here that did the work of this key itself; empty where none did."""
        row = self._database.first(
            "SELECT run FROM tasks WHERE cache_key = ? AND state = 'succeeded' ORDER BY ended DESC LIMIT 1", cache_key
        )
        return str(row["run"]) if row and cache_key else ""

    def task(self, run: str, path: str) -> TaskRecord:
        """One task, by its path or an unambiguous end of it. Raises: StoreError that lists the tasks."""
        tasks = self.tasks(run)
        near = [t for t in tasks if t.path == path] or [t for t in tasks if t.path.endswith("/" + path)]
        if len(near) == 1:
            return near[0]
        names = ", ".join(t.path for t in (near or tasks)[:12])
        raise StoreError(
            f"run {run} has {'several tasks' if near else 'no task'} {path!r}: {names or 'it started none'}"
        )

    def _record(self, row: sqlite3.Row, tasks: tuple[TaskRecord, ...] = ()) -> RunRecord:
        folder = self.folder(row["id"])
        dead = row["state"] == "running" and row["engine"] == "local" and not is_held(folder)
        return RunRecord(
            id=row["id"],
            pipeline=row["pipeline"],
            state="interrupted" if dead else row["state"],
            created=row["created"],
            ended=row["ended"],
            user=row["user"],
            engine=row["engine"],
            parameters=json.loads(row["parameters"]),
            error=row["error"],
            code=row["code"],
            spec=row["text"],
            command=row["command"],
            outputs=json.loads(row["outputs"]),
            settings=json.loads(row["settings"]),
            parent=row["parent"],
            folder=str(folder),
            tasks=tasks,
        )


def _said(folder: str) -> str:
    """What the task last told of itself; nothing where it said nothing (or its file is being replaced)."""
    try:
        return str(json.loads((Path(folder) / PROGRESS).read_text(encoding="utf-8"))["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _json(value: Any) -> str:
    return json.dumps(value if not isinstance(value, Mapping) else dict(value), default=str)

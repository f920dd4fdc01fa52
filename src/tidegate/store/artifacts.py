"""Artifacts and who made and used them: recording, finding, lineage, the latest and the best."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidegate.graph.work import Artifact
from tidegate.store.database import Database, StoreError
from tidegate.store.digests import Content
from tidegate.store.records import ArtifactRecord, LineageStep

IN, OUT = "in", "out"
MODEL_TYPES = ("system.PushedModel", "system.Model", "google.VertexModel", "google.UnmanagedContainerModel")


class Artifacts:
    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------ recording
    def made(self, run: str, task: str, artifact: Artifact, content: Content, at: float) -> int:
        """Record a new artifact of a task; gives its id."""
        return self._database.execute(
            "INSERT INTO artifacts (name, type, type_version, uri, digest, size, stat, metadata, run, task, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            artifact.name,
            artifact.schema_title,
            artifact.schema_version,
            artifact.uri,
            artifact.digest,
            content.size,
            content.stat,
            json.dumps(dict(artifact.metadata), sort_keys=True, default=str),
            run,
            task,
            at,
        )

    def linked(self, run: str, task: str, direction: str, name: str, ids: Sequence[int]) -> None:
        """Record that a task took (`in`) or gave (`out`) these artifacts under this name."""
        for position, id in enumerate(ids):
            self._database.execute(
                "INSERT OR REPLACE INTO uses (run, task, direction, name, position, artifact) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                *(run, task, direction, name, position, id),
            )

    def id_of(self, run: str, artifact: Artifact) -> int | None:
        """The record of an artifact that travels in `run`: by its place, this run's own and same name first."""
        row = self._database.first(
            "SELECT id FROM artifacts WHERE uri = ? "
            "ORDER BY digest = ? DESC, run = ? DESC, name = ? DESC, id DESC LIMIT 1",
            *(artifact.uri, artifact.digest, run, artifact.name),
        )
        return int(row["id"]) if row else None

    def refresh(self, id: int, content: Content) -> None:
        """Remember how the unchanged content looks now, so that it need not be read again."""
        with self._database.transaction():
            self._database.execute("UPDATE artifacts SET stat = ? WHERE id = ?", content.stat, id)

    # ------------------------------------------------------------ finding
    def get(self, reference: str | int) -> ArtifactRecord:
        """The artifact with this id, digest (or its first 6 characters and more), URI, or path inside of it.

        Of several with the same content or place the newest is meant. Raises: StoreError where there is none.
        """
        text = str(reference)
        bare = text.removeprefix("sha256:").lower()
        found: list[ArtifactRecord] = []
        if text.isdecimal():
            found = self._where("id = ?", int(text))
        if not found:
            found = self._where("uri = ?", text)
        if not found and len(bare) >= 6 and all(c in "0123456789abcdef" for c in bare):
            found = self._where("digest LIKE ?", f"sha256:{bare}%")
            if len({record.digest for record in found}) > 1:
                raise StoreError(f"{text!r} begins the digests of {len(found)} artifacts: give more of it")
        path = Path(text).absolute()
        for place in (path, *path.parents):
            found = found or self._where("uri = ?", str(place))
        if not found:
            raise StoreError(
                f"no artifact {text!r}: give its id, its digest (6 characters and more), its URI or its path"
            )
        return found[0]

    def content(self, id: int) -> Content:
        row = self._database.query("SELECT digest, size, stat FROM artifacts WHERE id = ?", id)[0]
        return Content(row["digest"], row["size"], row["stat"])

    def listing(self, type: str = "", name: str = "", run: str = "", limit: int = -1) -> list[ArtifactRecord]:
        """The artifacts of a type, a name, a run: newest first."""
        return self._where(
            "(? = '' OR type = ?) AND (? = '' OR name = ?) AND (? = '' OR run = ?)",
            *(type, type, name, name, run, run),
            limit=limit,
        )

    def of_task(self, run: str, task: str, direction: str) -> dict[str, tuple[ArtifactRecord, ...]]:
        return self.of_run(run, direction, task).get(task, {})

    def of_run(self, run: str, direction: str, task: str = "") -> dict[str, dict[str, tuple[ArtifactRecord, ...]]]:
        """What the tasks of a run took or gave: task -> name -> artifacts."""
        rows = self._database.query(
            "SELECT uses.task AS user, uses.name AS port, artifacts.* "
            "FROM uses JOIN artifacts ON artifacts.id = uses.artifact "
            "WHERE uses.run = ? AND direction = ? AND (? = '' OR uses.task = ?) "
            "ORDER BY uses.task, uses.name, position",
            *(run, direction, task, task),
        )
        found: dict[str, dict[str, tuple[ArtifactRecord, ...]]] = {}
        for row in rows:
            ports = found.setdefault(row["user"], {})
            ports[row["port"]] = (*ports.get(row["port"], ()), _record(row))
        return found

    # ------------------------------------------------------------ lineage
    def ancestors(self, artifact: ArtifactRecord) -> tuple[LineageStep, ...]:
        """All that this artifact was made from, nearest first; each artifact once."""
        return self._walk(
            artifact,
            "SELECT taken.run AS via_run, taken.task AS via_task, taken.name AS port, artifacts.* "
            "FROM artifacts AS made "
            "JOIN uses AS taken ON taken.run = made.run AND taken.task = made.task AND taken.direction = 'in' "
            "JOIN artifacts ON artifacts.id = taken.artifact WHERE made.id = ? ORDER BY taken.name, taken.position",
        )

    def descendants(self, artifact: ArtifactRecord) -> tuple[LineageStep, ...]:
        """All that was made from this artifact, in any run, nearest first; each artifact once."""
        return self._walk(
            artifact,
            "SELECT given.run AS via_run, given.task AS via_task, given.name AS port, artifacts.* "
            "FROM uses AS taken "
            "JOIN uses AS given ON given.run = taken.run AND given.task = taken.task AND given.direction = 'out' "
            "JOIN artifacts ON artifacts.id = given.artifact WHERE taken.artifact = ? AND taken.direction = 'in' "
            "ORDER BY given.run, given.task, given.name, given.position",
        )

    def _walk(self, start: ArtifactRecord, sql: str) -> tuple[LineageStep, ...]:
        seen = {start.id}
        steps: list[LineageStep] = []
        edge = [start.id]
        depth = 0
        while edge:
            depth += 1
            beyond: list[int] = []
            for id in edge:
                for row in self._database.query(sql, id):
                    if row["id"] not in seen:
                        seen.add(row["id"])
                        beyond.append(row["id"])
                        steps.append(LineageStep(_record(row), depth, id, row["via_run"], row["via_task"], row["port"]))
            edge = beyond
        return tuple(steps)

    # ------------------------------------------------------------ models
    def models(self, pushed_only: bool = False) -> list[ArtifactRecord]:
        """Models, newest first; pushed versions have the type `system.PushedModel`."""
        types = MODEL_TYPES[:1] if pushed_only else MODEL_TYPES
        return self._where(f"type IN ({', '.join('?' * len(types))})", *types)

    def latest(self, type: str = "system.Model", name: str = "") -> ArtifactRecord | None:
        return next(iter(self.listing(type, name, limit=1)), None)

    def best(
        self, metric: str, type: str = "system.Model", lowest: bool = False
    ) -> tuple[ArtifactRecord, float] | None:
        """The artifact of `type` with the highest value of `metric`, and the value.

        The value is in the artifact's own metadata, or in that of the nearest artifact made from it (its Metrics).
        """
        values: dict[int, tuple[int, float, ArtifactRecord]] = {}
        for record in self._where("metadata LIKE ?", f"%{json.dumps(metric)[1:-1]}%"):
            value = record.metadata.get(metric)
            if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
                continue
            subjects = [(0, record)] if record.type == type else []
            subjects += [(step.depth, step.artifact) for step in self.ancestors(record) if step.artifact.type == type]
            for depth, subject in sorted(subjects, key=lambda found: found[0])[:1]:
                known = values.get(subject.id)
                if known is None or depth < known[0]:
                    values[subject.id] = (depth, float(value), subject)
        if not values:
            return None
        _, value, subject = (min if lowest else max)(values.values(), key=lambda found: found[1])
        return subject, value

    def _where(self, condition: str, *values: Any, limit: int = -1) -> list[ArtifactRecord]:
        sql = f"SELECT * FROM artifacts WHERE {condition} ORDER BY id DESC LIMIT ?"  # noqa: S608
        return [_record(row) for row in self._database.query(sql, *values, limit)]


def _record(row: sqlite3.Row) -> ArtifactRecord:
    return ArtifactRecord(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        uri=row["uri"],
        digest=row["digest"],
        size=row["size"],
        metadata=json.loads(row["metadata"]),
        run=row["run"],
        task=row["task"],
        created=row["created"],
    )

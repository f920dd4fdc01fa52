"""One SQLite file: opening, migrating, transactions, and what its errors mean to a user."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_BUSY_SECONDS = 30.0


class StoreError(Exception):
    """The store cannot do it: what is wrong and what to do, in words for the user."""


class StoreFull(StoreError):  # noqa: N818 - a state of the disk, told as such
    """No space is left where the store is. Nothing of the failed write remains; what was recorded before stays."""


MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE specs (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, ended REAL,
        user TEXT NOT NULL, engine TEXT NOT NULL, parameters TEXT NOT NULL, error TEXT NOT NULL DEFAULT '',
        code TEXT NOT NULL, spec TEXT NOT NULL REFERENCES specs (digest), command TEXT NOT NULL,
        outputs TEXT NOT NULL DEFAULT '{}', settings TEXT NOT NULL DEFAULT '{}', parent TEXT NOT NULL DEFAULT '',
        collected REAL);
    CREATE INDEX runs_by_time ON runs (created);
    CREATE TABLE events (
        run TEXT NOT NULL, seq INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID;
    CREATE TABLE tasks (
        run TEXT NOT NULL, path TEXT NOT NULL, component TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL DEFAULT 'task',
        state TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, created REAL, started REAL, ended REAL,
        cached_from TEXT NOT NULL DEFAULT '', cache_key TEXT NOT NULL DEFAULT '', why_missed TEXT NOT NULL DEFAULT '',
        error TEXT NOT NULL DEFAULT '', cpu_seconds REAL NOT NULL DEFAULT 0, peak_memory INTEGER NOT NULL DEFAULT 0,
        folder TEXT NOT NULL DEFAULT '', parameters TEXT NOT NULL DEFAULT '{}', outputs TEXT NOT NULL DEFAULT '{}',
        PRIMARY KEY (run, path));
    CREATE TABLE artifacts (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, type_version TEXT NOT NULL DEFAULT '',
        uri TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, stat TEXT NOT NULL DEFAULT '',
        metadata TEXT NOT NULL, run TEXT NOT NULL, task TEXT NOT NULL, created REAL NOT NULL);
    CREATE INDEX artifacts_by_uri ON artifacts (uri);
    CREATE INDEX artifacts_by_digest ON artifacts (digest);
    CREATE INDEX artifacts_by_task ON artifacts (run, task);
    CREATE INDEX artifacts_by_type ON artifacts (type);
    CREATE TABLE uses (
        run TEXT NOT NULL, task TEXT NOT NULL, direction TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL,
        artifact INTEGER NOT NULL REFERENCES artifacts (id),
        PRIMARY KEY (run, task, direction, name, position)) WITHOUT ROWID;
    CREATE INDEX uses_by_artifact ON uses (artifact, direction);
    CREATE TABLE cache (
        key TEXT PRIMARY KEY, pipeline TEXT NOT NULL, component TEXT NOT NULL, run TEXT NOT NULL, task TEXT NOT NULL,
        parts TEXT NOT NULL, outputs TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX cache_by_component ON cache (component, created);
    CREATE INDEX cache_by_task ON cache (component, task, created);
    """,
)
"""One script for each version of the file; a script is never changed once released, only followed by another."""


class Database:
    """A connection to the store's file, made current. Not to be used by two threads at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told():
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            self._connection.row_factory = sqlite3.Row
            self._use_wal()
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._migrate()

    def close(self) -> None:
        self._connection.close()

    def query(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._told():
            return self._connection.execute(sql, values).fetchall()

    def first(self, sql: str, *values: Any) -> sqlite3.Row | None:
        rows = self.query(sql, *values)
        return rows[0] if rows else None

    def execute(self, sql: str, *values: Any) -> int:
        """Run a statement; gives the new row's id where it inserts one. Use inside `transaction()`."""
        with self._told():
            return self._connection.execute(sql, values).lastrowid or 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; waits for other writers. Inside another transaction it is part of that one."""
        if self._inside():
            yield
            return
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._told():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._inside():  # a full disk may have ended it already
                self._connection.execute("ROLLBACK")
            raise

    def _inside(self) -> bool:
        return self._connection.in_transaction

    def _use_wal(self) -> None:
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:  # two processes that make the file together: SQLite's own busy timeout does not cover this switch
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _migrate(self) -> None:
        if self._version() == len(MIGRATIONS):
            return
        with self.transaction():
            found = self._version()
            if found > len(MIGRATIONS):
                raise StoreError(
                    f"the store {self.path} was written by a newer tidegate (version {found} of its format; this one "
                    f"knows up to {len(MIGRATIONS)}): upgrade tidegate, or use another store with --store"
                )
            for script in MIGRATIONS[found:]:
                for statement in script.split(";"):
                    if statement.strip():
                        self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            said = str(error)
            if "full" in said or "disk I/O" in said:
                raise StoreFull(
                    f"no space is left for the store {self.path.parent} ({said}): free some, `tidegate gc` helps; "
                    "what was recorded so far is intact, and `tidegate resume` continues an interrupted run"
                ) from error
            if "locked" in said or "busy" in said:
                raise StoreError(
                    f"another process has kept the store {self.path} locked for {_BUSY_SECONDS:.0f} s"
                ) from error
            if "unable to open" in said or "readonly" in said:
                raise StoreError(f"cannot write the store {self.path}: {said}; use another one with --store") from error
            if "not a database" in said or "malformed" in said:
                raise StoreError(f"{self.path} is not a tidegate store, or it is damaged: {said}") from error
            raise

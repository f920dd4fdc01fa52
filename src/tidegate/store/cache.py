"""What was computed before, by key. An entry is only a hint: whoever uses one checks that its content still stands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from tidegate.store.database import Database
from tidegate.store.records import CacheEntry


class Cache:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, entry: CacheEntry) -> None:
        """Remember; a newer entry with the same key wins."""
        self._database.execute(
            "INSERT OR REPLACE INTO cache (key, pipeline, component, run, task, parts, outputs, created, used) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(entry.key, entry.pipeline, entry.component, entry.run, entry.task),
            *(json.dumps(dict(entry.parts)), entry.outputs, entry.created, entry.used),
        )

    def get(self, key: str) -> CacheEntry | None:
        row = self._database.first("SELECT * FROM cache WHERE key = ?", key)
        return _entry(row) if row else None

    def used(self, key: str, at: float) -> None:
        with self._database.transaction():
            self._database.execute("UPDATE cache SET used = ? WHERE key = ?", at, key)

    def drop(self, key: str) -> None:
        with self._database.transaction():
            self._database.execute("DELETE FROM cache WHERE key = ?", key)

    def nearest(self, component: str, task: str, parts: Mapping[str, str]) -> CacheEntry | None:
        """Of the newest entries of this component, the one that differs in the fewest parts; the same task's first."""
        rows = self._database.query(
            "SELECT * FROM (SELECT * FROM cache WHERE component = ? AND task = ? ORDER BY created DESC LIMIT 4) "
            "UNION ALL SELECT * FROM (SELECT * FROM cache WHERE component = ? ORDER BY created DESC LIMIT 4)",
            *(component, task, component),
        )
        return min(map(_entry, rows), key=lambda entry: len(differing(parts, entry.parts)), default=None)

    def listing(self, component: str = "", limit: int = -1) -> list[CacheEntry]:
        """Entries, last used first."""
        rows = self._database.query(
            "SELECT * FROM cache WHERE ? = '' OR component = ? ORDER BY used DESC LIMIT ?", component, component, limit
        )
        return [_entry(row) for row in rows]

    def clear(self, component: str = "", before: float | None = None) -> int:
        """Forget entries (of a component, made before a time); gives how many. Files go with `gc`."""
        condition = "(? = '' OR component = ?) AND (? IS NULL OR created < ?)"
        values = (component, component, before, before)
        with self._database.transaction():
            rows = self._database.query(f"SELECT count(*) AS n FROM cache WHERE {condition}", *values)  # noqa: S608
            self._database.execute(f"DELETE FROM cache WHERE {condition}", *values)  # noqa: S608
        return int(rows[0]["n"])


def differing(parts: Mapping[str, str], earlier: Mapping[str, str]) -> list[str]:
    """The names of the parts that are not the same."""
    return [name for name in {**parts, **earlier} if parts.get(name) != earlier.get(name)]


def why_missed(parts: Mapping[str, str], earlier: Mapping[str, str] | None) -> str:
    """In words: what makes this key another than the nearest one before."""
    if earlier is None:
        return "first run of this component"
    added = [name for name in parts if name not in earlier]
    gone = [name for name in earlier if name not in parts]
    changed = [name for name in parts if name in earlier and parts[name] != earlier[name]]
    said = (
        [f"{name} changed" for name in changed]
        + [f"{name} is new" for name in added]
        + [f"{name} is gone" for name in gone]
    )
    return "; ".join(said) or "its entry was dropped"


def _entry(row: sqlite3.Row) -> CacheEntry:
    return CacheEntry(**{**{name: row[name] for name in row.keys()}, "parts": json.loads(row["parts"])})  # noqa: SIM118

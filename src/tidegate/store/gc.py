"""Giving space back: runs that nobody needs go, with their files; what a kept run or a pushed model needs stays.

Kept are runs that are being driven, the last `keep` ones, and those newer than a time. Needed are the artifacts that
kept runs took or gave (so what the cache answered to them stays), every pushed model and what its push took (the model,
its evaluation, the statistics that drift is measured against). Of a needed artifact's whole ancestry the records stay,
so that lineage can still be told, though not the files.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tidegate.store.locks import is_held
from tidegate.store.store import Store


@dataclass(frozen=True, slots=True)
class Collected:
    """What was freed, or would be."""

    runs: tuple[str, ...]
    """Runs that are gone, oldest first."""
    files: tuple[Path, ...]
    """What was removed: whole run folders, or parts of those that hold something needed."""
    size: int
    """Bytes."""
    cache_entries: int
    """Entries of the cache that went with them."""


def collect(
    store: Store, *, keep: int = 0, newer_than: float | None = None, now: float, dry_run: bool = False
) -> Collected:
    """Free what is not needed. Records go first, in one transaction, then files: a kill in between loses nothing
    that is needed, and the next call removes the rest.
    """
    with store.transaction():
        dropped = _dropped(store, keep, newer_than)
        needed = _needed(store, dropped)
        folders = {store.runs.folder(run): run for run in dropped}
        known = {row["id"] for row in store.database.query("SELECT id FROM runs")}
        stray = [f for f in (store.folder / "runs").iterdir() if f.name not in known and not is_held(f)]
        doomed = [path for folder in (*folders, *stray) for path in _without(folder, needed)]
        entries = _forget(store, dropped, needed, now, dry_run)
    size = 0
    for path in doomed:
        size += _size(path)
        if not dry_run:
            _remove(path)
    return Collected(tuple(dropped), tuple(doomed), size, entries)


def _dropped(store: Store, keep: int, newer_than: float | None) -> list[str]:
    rows = store.database.query("SELECT id, created, state, engine, collected FROM runs ORDER BY created DESC, id DESC")
    listed = [row for row in rows if row["collected"] is None]
    kept = {row["id"] for row in listed[:keep]}
    kept |= {row["id"] for row in listed if newer_than is not None and row["created"] >= newer_than}
    running = [row for row in listed if row["state"] == "running"]
    kept |= {row["id"] for row in running if row["engine"] != "local" or is_held(store.runs.folder(row["id"]))}
    return [row["id"] for row in reversed(rows) if row["id"] not in kept]


def _needed(store: Store, dropped: list[str]) -> dict[str, int]:
    """URI -> id of every artifact whose content must stay."""
    gone = set(dropped)
    uses = store.database.query(
        "SELECT uses.run, artifacts.uri, artifacts.id FROM uses JOIN artifacts ON artifacts.id = artifact"
    )
    needed = {row["uri"]: row["id"] for row in uses if row["run"] not in gone}
    for row in store.database.query(
        "SELECT artifacts.uri, artifacts.id FROM artifacts AS pushed JOIN uses ON uses.run = pushed.run "
        "AND uses.task = pushed.task JOIN artifacts ON artifacts.id = uses.artifact "
        "WHERE pushed.type = 'system.PushedModel'"
    ):
        needed[row["uri"]] = row["id"]
    return needed


def _without(folder: Path, needed: Iterable[str]) -> list[Path]:
    """What of `folder` can go: all of it, or the largest parts that hold nothing needed."""
    inside = [Path(uri) for uri in needed if uri.startswith(f"{folder}/")]
    if not folder.exists() or folder in inside:
        return []
    if not inside:
        return [folder]
    parts: list[Path] = []
    for child in sorted(folder.iterdir()):
        below = [str(path) for path in inside if path == child or child in path.parents]
        if not below:
            parts.append(child)
        elif child not in map(Path, below):
            parts += _without(child, below)
    return parts


def _forget(store: Store, dropped: list[str], needed: dict[str, int], now: float, dry_run: bool) -> int:
    """Drop the records of `dropped`, but for those that the lineage of what stays runs through."""
    database = store.database
    gone = set(dropped)
    entries = [row["key"] for row in database.query("SELECT key, run FROM cache") if row["run"] in gone]
    if dry_run:
        return len(entries)
    told: set[str] = set()
    for id in needed.values():
        record = store.artifacts.get(id)
        told |= {record.run, *(step.artifact.run for step in store.artifacts.ancestors(record))}
    for key in entries:
        database.execute("DELETE FROM cache WHERE key = ?", key)
    for run in dropped:
        database.execute("DELETE FROM events WHERE run = ?", run)
        if run in told:
            database.execute("UPDATE runs SET collected = ? WHERE id = ?", now, run)
            continue
        database.execute("DELETE FROM uses WHERE run = ?", run)
        database.execute("DELETE FROM tasks WHERE run = ?", run)
        database.execute("DELETE FROM runs WHERE id = ?", run)
        database.execute("DELETE FROM artifacts WHERE run = ? AND id NOT IN (SELECT artifact FROM uses)", run)
    database.execute("DELETE FROM specs WHERE digest NOT IN (SELECT spec FROM runs)")
    return len(entries)


def _size(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(_size(child) for child in path.iterdir())


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)

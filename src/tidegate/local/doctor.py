"""What of this machine's set-up is missing, and the command that mends it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tidegate.local import connection, environments, making
from tidegate.local.daemon.endings import size
from tidegate.local.execution import Ending, Execution
from tidegate.local.settings import HOST, Settings, SettingsError, load
from tidegate.local.workers import Workers

_ROOM, _MEMORY = 5 * 2**30, 6 * 2**30  # bytes: three environments and a store; TensorFlow twice at the same time
_LONGEST = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    mend: str = ""
    """What to type, or do, where it is not ok."""


def checks(start: Path | None = None) -> Iterator[Check]:
    """Look at one thing after the other, in the order in which to mend them."""
    yield _python()
    try:
        settings = load(start)
    except SettingsError as error:
        yield Check("settings", False, str(error), "correct that line")
        return
    yield Check("settings", True, str(settings.source or "none: the defaults hold"))
    yield _uv()
    for name in settings.environments:
        if name != HOST:
            yield _environment(settings, name)
    yield _writable("store", settings.store)
    yield _room(settings.store)
    yield _memory()
    yield _sockets()
    yield _trial(settings)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def _uv() -> Check:
    try:
        return Check("uv", True, making.find_uv())
    except making.CannotMake:
        return Check("uv", False, "not installed", "pip install uv")


def _environment(settings: Settings, name: str) -> Check:
    found, title = settings.environments[name], f"environment {name}"
    mend = environments.make_command(settings)
    if not found.lock:
        ok = (found.path / "bin/python").exists()
        return Check(title, ok, str(found.path), f"make it: python3 -m venv {found.path}")
    try:
        recipe = making.recipe(settings, found)
    except making.CannotMake as error:
        return Check(title, False, str(error), "correct the name of the lock")
    if making.is_current(recipe):
        return Check(title, True, str(found.path))
    if making.is_whole(found.path):
        return Check(title, False, f"{found.path} is not as {recipe.lock} says by now", mend)
    return Check(title, False, f"{found.path} has not been made, or not to its end", mend)


def _writable(name: str, folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Check(name, True, str(folder))
    except OSError as error:
        return Check(name, False, f"{folder}: {error.strerror}", "let yourself write there, or choose another: --store")


def _room(folder: Path) -> Check:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    return Check("disk", free >= _ROOM, f"{size(free)} free", f"free some: tidegate gc; {size(_ROOM)} is little enough")


def _memory() -> Check:
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Check("memory", whole >= _MEMORY, size(whole), "run one task at a time: limits.tasks = 1")


def _sockets() -> Check:
    try:
        return Check("workers' folder", True, str(connection.runtime_folder()))
    except connection.NoWorker as error:
        return Check("workers' folder", False, str(error), "mend it, or do without: TIDEGATE_WORKERS=off")


def _trial(settings: Settings) -> Check:
    """A task really runs."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "work").mkdir()
        image = next((pattern for pattern, name in settings.images.items() if name == HOST), "python:3.11")
        execution = Execution(
            "doctor", image, ("python3", "-c", "pass"), {}, folder / "work", folder / "log", folder / "progress",
            timeout=_LONGEST,
        )  # fmt: skip

        async def once() -> Check:
            workers = Workers(settings)
            try:
                outcome = await workers.run(execution)
            finally:
                await workers.close()
            ok = outcome.ending is Ending.SUCCEEDED
            how = outcome.details.get("why") or "in a warm worker"
            return Check("a task", ok, f"ran, {how}" if ok else outcome.error, "TIDEGATE_WORKERS=off, and tell us")

        return asyncio.run(once())

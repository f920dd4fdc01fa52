"""Runs single tasks on Workers, for tests."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.local.execution import Execution, Outcome
from tidegate.local.settings import EnvironmentSettings, Settings, defaults
from tidegate.local.workers import Workers

IMAGE = "python:3.11"
_BOOTSTRAP = """program_path=$(mktemp -d)

printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main \
--component_module_path "$program_path/ephemeral_component.py" "$@"
"""


@dataclass(frozen=True)
class Ran:
    outcome: Outcome
    execution: Execution

    @property
    def log(self) -> str:
        return self.execution.log.read_text() if self.execution.log.exists() else ""

    @property
    def lines(self) -> list[str]:
        return self.log.splitlines()


class Bench:
    """Workers with a runtime folder of their own; each `run` is one task."""

    def __init__(self, folder: Path, runtime: Path, settings: Settings | None = None) -> None:
        self.folder, self.runtime = folder, runtime
        self.settings = settings or with_host(folder)
        self._count = 0

    def workers(self, **options: Any) -> Workers:
        return Workers(self.settings, runtime=self.runtime, **options)

    def execution(self, *command: str, **fields: Any) -> Execution:
        self._count += 1
        place = self.folder / f"task-{self._count}"
        (place / "work").mkdir(parents=True)
        given = {
            "id": f"run/{self._count}",
            "image": IMAGE,
            "command": command,
            "env": {},
            "workdir": place / "work",
            "log": place / "log",
            "progress": place / "progress",
        }
        return Execution(**{**given, **fields})

    def run(self, *command: str, warm: bool | None = True, **fields: Any) -> Ran:
        return self.perform(self.execution(*command, **fields), warm)

    def perform(self, execution: Execution, warm: bool | None = True) -> Ran:
        async def once() -> Outcome:
            workers = self.workers(warm=warm, grace=0.5)
            try:
                return await workers.run(execution)
            finally:
                await workers.close()

        return Ran(asyncio.run(once()), execution)

    def python(self, source: str, *args: str, **fields: Any) -> Ran:
        return self.run("python3", "-c", textwrap.dedent(source), *args, **fields)

    def function(self, source: str, parameters: dict[str, Any] | None = None, **fields: Any) -> Ran:
        """A lightweight component `def component(...)`, as kfp's bootstrap runs it."""
        return self.run(*lightweight(self.folder / "output.json", source, parameters), **fields)


def lightweight(output: Path, source: str, parameters: dict[str, Any] | None = None) -> tuple[str, ...]:
    task = {
        "inputs": {"parameterValues": parameters or {}},
        "outputs": {
            "parameters": {"Output": {"outputFile": str(output.with_suffix(".value"))}},
            "outputFile": str(output),
        },
    }
    head = "import kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
    args = ("--executor_input", json.dumps(task), "--function_to_execute", "component")
    return ("sh", "-ec", _BOOTSTRAP, head + textwrap.dedent(source), *args)


def with_host(folder: Path, **fields: Any) -> Settings:
    """Settings with nothing but this Python."""
    found = defaults(folder)
    host = EnvironmentSettings("host", Path(), **fields)
    return Settings(folder, None, folder / "store", found.images, {**found.environments, "host": host})


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets; the workers in it are ended at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tg-", dir="/tmp"))
    try:
        yield folder
    finally:
        for pid in worker_processes(folder):
            kill(pid)
        until(lambda: not worker_processes(folder))
        shutil.rmtree(folder, ignore_errors=True)


def worker_processes(folder: Path) -> list[int]:
    """All processes (supervisors, zygotes, their children) of the workers in `folder`; the supervisor first."""
    return processes_with(f"serve\0{folder}/".encode())


def processes_with(mark: bytes) -> list[int]:
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid():
            with suppress(OSError):
                if mark in (place / "cmdline").read_bytes() and alive(int(place.name)):
                    found.append(int(place.name))
    return sorted(found)


def alive(pid: int) -> bool:
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def until(condition: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Whether `condition` came true within so long."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True

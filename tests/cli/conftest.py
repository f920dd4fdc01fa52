"""The command line as a user has it: arguments in, exit code and text out; and a store that real runs have filled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tidegate.cli.main import run

TOY = Path(__file__).with_name("toy.py")
ENTRY_POINT = [sys.executable, "-m", "tidegate.cli.main"]


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Tidegate = Callable[..., Said]


@pytest.fixture(scope="session", autouse=True)
def _own_workers() -> Iterator[None]:
    """Warm workers of this session's own, which end soon after it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="tg-") as runtime:
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.setenv("TIDEGATE_WORKERS_IDLE", "5")
        for name in ("TIDEGATE_DEBUG", "FORCE_COLOR", "COLUMNS", "TIDEGATE_STORE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def tidegate(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tidegate:
    """Runs a command line in an empty folder, with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_STORE", str(tmp_path / "store"))

    def command(*args: str | Path) -> Said:
        capfdbinary.readouterr()
        code = run([str(arg) for arg in args])
        captured = capfdbinary.readouterr()
        return Said(code, captured.out.decode(), captured.err.decode())

    return command


@dataclass(frozen=True)
class Filled:
    """A store with three runs of the toy pipeline: good, again with other parameters, and failed."""

    folder: Path
    good: str
    other: str
    failed: str


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("filled")
    given = ([], ["-p", "shift=3.0", "-p", "rows=12", "-p", "rate=0.9"], ["-p", "bad=true"])

    def result(args: list[str]) -> str:
        command = [*ENTRY_POINT, "run", str(TOY), "--store", str(folder / "store"), "-o", "json", *args]
        ran = subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True)
        return str(json.loads(ran.stdout)["run_id"])

    return Filled(folder / "store", *(result(args) for args in given))


@pytest.fixture
def looking(tidegate: Tidegate, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> Tidegate:
    """`tidegate` on the filled store, which the commands under test only read."""
    monkeypatch.setenv("TIDEGATE_STORE", str(filled.folder))
    return tidegate


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A copy of the toy pipeline to run, and to change."""
    return Path(shutil.copy(TOY, tmp_path / "toy.py"))

"""The command line as a user has it: arguments in, exit code and text out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tidegate.cli.main import run


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Tidegate = Callable[..., Said]


@pytest.fixture
def tidegate(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tidegate:
    """Runs a command line in an empty folder, with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_STORE", str(tmp_path / "store"))
    for name in ("TIDEGATE_DEBUG", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def command(*args: str) -> Said:
        capfdbinary.readouterr()
        code = run(list(args))
        captured = capfdbinary.readouterr()
        return Said(code, captured.out.decode(), captured.err.decode())

    return command

"""A project to run whole pipelines in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.lab import Lab
from tests.local.tasks import short_folder


@pytest.fixture(scope="module")
def warm() -> Iterator[Path]:
    """Workers that the tests of one module share, and nobody else."""
    with short_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


@pytest.fixture
def lab(tmp_path: Path, warm: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.delenv("TIDEGATE_STORE", raising=False)
    (tmp_path / "tidegate.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return Lab(tmp_path)

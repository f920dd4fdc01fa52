"""A command line whose Kubeflow (and the cluster under it) is the double."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.doubles.kfp_backend import Backend, backend
from tidegate.cli import clusters, following
from tidegate.cli.main import run

PIPELINES = Path(__file__).with_name("pipelines.py")


@pytest.fixture
def kubeflow() -> Iterator[Backend]:
    with backend() as double:
        yield double


class Said:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def tidegate(
    kubeflow: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., Said]:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "double",
        "clusters": [{"name": "double", "cluster": {"server": kubeflow.url}}],
        "users": [{"name": "ada", "user": {}}],
        "contexts": [{"name": "double", "context": {"cluster": "double", "user": "ada"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", kubeflow.url)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("KF_PIPELINES_UI_ENDPOINT", raising=False)
    monkeypatch.setattr(following, "_SECONDS", 0.005)
    clusters._connected.cache_clear()

    def command(*args: str | Path) -> Said:
        capfdbinary.readouterr()
        code = run([str(arg) for arg in args])
        captured = capfdbinary.readouterr()
        return Said(code, captured.out.decode(), captured.err.decode())

    return command

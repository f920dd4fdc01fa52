"""`[tool.tidegate.argo]`: what it may say, and what is said about the rest."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tidegate.argo import settings
from tidegate.argo.options import Options, Pods, Schedule
from tidegate.local.settings import SettingsError, load


def test_a_projects_table_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "tidegate.toml").write_text(
        """
        [argo]
        service_account = "pipelines"
        lists = 8
        beside = ["old/*"]
        [argo.images]
        "python:3.*" = "registry.example/host:1"
        [argo.pods]
        read_only_root = false
        tolerations = [{ key = "gpu", operator = "Exists" }]
        requests = { cpu = "100m" }
        [argo.schedule]
        cron = "0 3 * * *"
        parameters = { n = 3 }
        """
    )

    assert settings.load(tmp_path) == Options(
        service_account="pipelines",
        lists=8,
        beside=("old/*",),
        images={"python:3.*": "registry.example/host:1"},
        pods=Pods(read_only_root=False, tolerations=({"key": "gpu", "operator": "Exists"},), requests={"cpu": "100m"}),
        schedule=Schedule("0 3 * * *", parameters={"n": 3}),
    )
    load(tmp_path)  # local runs mind no table of another engine


def test_where_nothing_is_said_the_defaults_hold(tmp_path: Path) -> None:
    (tmp_path / "tidegate.toml").write_text("")

    assert settings.load(tmp_path) == Options()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image = 'x'", "expected only name, "),
        ("lists = 'many'", "lists: expected a whole number, found 'many'"),
        ("caching = 1", "caching: expected true or false, found 1"),
        ("storage = 'ftp'", "storage: expected one of s3, gcs, oss, azure, found 'ftp'"),
        ("beside = 'old'", "beside: expected a list, found 'old'"),
        ("images = {a = 1}", "images: expected a table of texts"),
        ("pods = {user = 1}", "[tool.tidegate.argo.pods]: expected only run_as_user, "),
        ("schedule = {timezone = 'Etc/UTC'}", "cron: missing"),
        ("pods = 3", "expected a table, found 3"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.read(tomllib.loads(text), "pyproject.toml")

    assert str(refused.value).startswith("pyproject.toml: [tool.tidegate.argo")
    assert message in str(refused.value)

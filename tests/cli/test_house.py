"""`tidegate doctor`, `setup` and the settings that all commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Tidegate

TRAINING = '[environments.training]\npath = "training"\nlock = "training.lock"\n'


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which no environment was made."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def test_doctor_says_what_is_missing_and_what_mends_it(tidegate: Tidegate, bare: Path) -> None:
    said = tidegate("doctor")
    assert said.code == 1
    assert "✓ python: " in said.out
    assert "✗ environment components: " in said.out
    assert "to mend it: tidegate setup" in said.out
    assert "✓ a task: ran" in said.out


def test_doctor_tells_machines_the_same(tidegate: Tidegate, bare: Path) -> None:
    said = tidegate("doctor", "-o", "json")
    assert said.code == 1
    checks = {check["name"]: check for check in said.json}
    assert checks["python"]["ok"]
    assert checks["environment serving"] | {"found": ""} == {
        "name": "environment serving",
        "ok": False,
        "found": "",
        "mend": "tidegate setup",
    }


def test_setup_shows_the_commands_it_would_run(tidegate: Tidegate, bare: Path) -> None:
    (bare / "tidegate.toml").write_text(TRAINING)
    (bare / "training.lock").touch()
    said = tidegate("setup", "training", "--dry-run")
    assert said.code == 0
    assert [line.split()[1:3] for line in said.out.splitlines()] == [["venv", "--quiet"], ["pip", "sync"]]
    assert "--require-hashes" in said.out
    assert not (bare / "training").exists()


def test_setup_of_an_unknown_environment_names_those_there_are(tidegate: Tidegate, bare: Path) -> None:
    said = tidegate("setup", "trainng")
    assert said.code == 3
    assert "components, serving" in said.err


def test_an_error_in_the_settings_is_told_with_its_place(tidegate: Tidegate, pipeline: Path, bare: Path) -> None:
    (bare / "tidegate.toml").write_text('[images]\n"a:*" = "nothing"\n')
    said = tidegate("run", pipeline)
    assert said.code == 2
    assert 'tidegate.toml: [images."a:*"]' in said.err


def test_the_store_is_where_the_settings_say(
    tidegate: Tidegate, pipeline: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIDEGATE_STORE")
    (bare / "tidegate.toml").write_text('store = "kept"\n')
    tidegate("run", pipeline)
    assert (bare / "kept" / "store.db").exists()
    assert len(tidegate("runs", "-o", "json").json) == 1
    assert tidegate("runs", "--store", "elsewhere").code == 2

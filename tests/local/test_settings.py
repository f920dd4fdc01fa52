from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.local.settings import HOST, SettingsError, load

WHOLE = """
[tool.tidegate]
store = "runs"

[tool.tidegate.images]
"my/trainer:*" = "training"
"python:3.12" = "training"

[tool.tidegate.environments.training]
path = ".venvs/training"
lock = "training.lock"
preload = ["torch"]
env = { OMP_NUM_THREADS = "1", EMPTY = "" }
pass_env = ["AWS_*"]

[tool.tidegate.environments.components]
preload = ["tensorflow"]

[tool.tidegate.limits]
cpu = 1.5
memory = "8Gi"
tasks = 4
"""


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    below = tmp_path / "pipelines/mine"
    below.mkdir(parents=True)
    settings = load(below)
    assert settings.root == tmp_path
    assert settings.source == tmp_path / "pyproject.toml"
    assert settings.store == tmp_path / "runs"
    training = settings.environments["training"]
    assert training.path == tmp_path / ".venvs/training"
    assert (training.lock, training.preload, training.pass_env) == ("training.lock", ("torch",), ("AWS_*",))
    assert training.env == {"OMP_NUM_THREADS": "1", "EMPTY": ""}
    assert (settings.limits.cpu, settings.limits.memory, settings.limits.tasks) == (1.5, 8 * 2**30, 4)


def test_what_is_not_said_stays_as_tidegate_brings_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    components = load(tmp_path).environments["components"]
    assert components.preload == ("tensorflow",)
    assert components.lock == "components.lock"
    assert components.env["TF_USE_LEGACY_KERAS"] == "1"


def test_the_users_patterns_come_before_ours(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    assert list(load(tmp_path).images)[:2] == ["my/trainer:*", "python:3.12"]
    assert load(tmp_path).images["python:3.*"] == HOST


def test_a_file_of_its_own_goes_before_pyproject_and_needs_no_prefix(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    (tmp_path / "tidegate.toml").write_text('store = "elsewhere"')
    assert load(tmp_path).store == tmp_path / "elsewhere"


def test_a_pyproject_without_our_table_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/pyproject.toml").write_text('[project]\nname = "x"')
    assert load(tmp_path / "inner").root == tmp_path


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    settings = load(tmp_path)
    assert settings.source is None
    assert settings.images["tidegate/components:*"] == "components"
    assert settings.environments["components"].path == tmp_path / "data/tidegate/environments/components"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store = 3", "[store]: expected text, found 3"),
        ("stores = 'x'", "tidegate.toml: expected only store, images, environments, limits, argo, found 'stores'"),
        ("images = ['x']", "[images]: expected a table, found ['x']"),
        ("images = {'a:*' = 'nowhere'}", "the name of an environment (components, host, serving), found 'nowhere'"),
        ("environments.new.lock = 'x'", "[environments.new]: expected a path"),
        ("environments.host.path = 'x'", "[environments.host]: expected no path and no lock"),
        ("environments.components.preload = 'x'", "[environments.components.preload]: expected a list of texts"),
        ("environments.components.preload = [1]", "[environments.components.preload[0]]: expected text, found 1"),
        ("environments.components.env.A = 1", "[environments.components.env.A]: expected text, found 1"),
        ("environments.components.python = '3'", "expected only path, lock, preload, env, pass_env, found 'python'"),
        ("limits.memory = '8GB'", "[limits.memory]: expected bytes, as in 8000000000 or \"8Gi\", found '8GB'"),
        ("limits.cpu = true", "[limits.cpu]: expected a number of cores, found True"),
        ("limits.tasks = 1.5", "[limits.tasks]: expected a whole number, found 1.5"),
        ("store = ", "not valid TOML: Invalid value (at end of document)"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "tidegate.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        load(tmp_path)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)


def test_in_pyproject_the_key_has_its_prefix(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tidegate.limits]\ncpu = -1")
    with pytest.raises(SettingsError, match=r"\[tool\.tidegate\.limits\.cpu\]: expected a number of cores, found -1"):
        load(tmp_path)


def test_this_checkouts_own_settings_are_sound() -> None:
    settings = load(Path(__file__))
    assert settings.environments["components"].path == settings.root / ".venvs/components"

"""Images and their environments, fingerprints, and making environments from locks (uv itself is stood in for)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate.local import environments, making
from tidegate.local.environments import Environment, NoEnvironment, fingerprint, resolve
from tidegate.local.settings import EnvironmentSettings, Settings, load


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mine.lock").write_text("nothing==1")
    (tmp_path / "pyproject.toml").write_text(
        """
        [tool.tidegate.images]
        "team/*:1" = "mine"
        "team/special:*" = "components"
        [tool.tidegate.environments.mine]
        path = ".venvs/mine"
        lock = "mine.lock"
        """
    )
    return load(tmp_path)


def environment_at(path: Path, whole: bool = True) -> None:
    (path / "bin").mkdir(parents=True)
    (path / "bin/python").symlink_to(sys.executable)
    (path / "lib/python3.11/site-packages").mkdir(parents=True)
    if whole:
        (path / ".tidegate.json").write_text("{}")


# ---------------------------------------------------------------- images
@pytest.mark.parametrize(
    ("image", "name"),
    [("team/special:1", "mine"), ("team/special:2", "components"), ("tidegate/serving:0.1.0", "serving")],
)
def test_the_first_pattern_that_matches_decides(settings: Settings, image: str, name: str) -> None:
    assert environments.settings_of(settings, image).name == name


def test_an_image_without_a_pattern_is_refused_with_the_line_to_add(settings: Settings) -> None:
    with pytest.raises(NoEnvironment) as error:
        resolve(settings, "gcr.io/other:3")
    assert str(error.value) == (
        f"no environment of this machine is mapped to the image 'gcr.io/other:3'; add to {settings.source}, "
        'below [tool.tidegate.images]:\n    "gcr.io/other:3" = "host"\n'
        "or, in place of host, an environment of its own: components, mine, serving"
    )


def test_an_environment_that_is_missing_names_the_command_that_makes_it(settings: Settings) -> None:
    with pytest.raises(NoEnvironment, match=r"'mine'.*'team/a:1', has not been made yet.*make it by: tidegate setup"):
        resolve(settings, "team/a:1")
    (settings.root / "scripts").mkdir()
    (settings.root / "scripts/setup.py").touch()
    with pytest.raises(NoEnvironment, match="make it by: make setup"):
        resolve(settings, "team/a:1")


def test_an_environment_whose_making_was_cut_short_is_not_used(settings: Settings) -> None:
    environment_at(settings.root / ".venvs/mine", whole=False)
    with pytest.raises(NoEnvironment, match="was not made to its end"):
        resolve(settings, "team/a:1")
    (settings.root / ".venvs/mine/.tidegate.json").write_text("{}")
    assert resolve(settings, "team/a:1").python == settings.root / ".venvs/mine/bin/python"


def test_an_environment_of_the_users_own_needs_no_lock(settings: Settings) -> None:
    environment_at(settings.root / "own", whole=False)
    own = EnvironmentSettings("own", settings.root / "own")
    known = replace(settings, images={"x": "own"}, environments={"own": own})
    assert resolve(known, "x").path == settings.root / "own"


# ---------------------------------------------------------------- fingerprints
@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    environment_at(tmp_path / "env")
    (tmp_path / "env/lib/python3.11/site-packages/numpy-1.26.4.dist-info").mkdir()
    return Environment("env", tmp_path / "env")


@pytest.fixture
def components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "components"
    (folder / "trainer").mkdir(parents=True)
    (folder / "trainer/work.py").write_text("a = 1")
    monkeypatch.setattr(environments, "_COMPONENTS", folder)
    return folder


def upgrade(packages: Path, components: Path) -> None:
    (packages / "numpy-1.26.4.dist-info").rename(packages / "numpy-1.26.5.dist-info")


def edit(packages: Path, components: Path) -> None:
    (components / "trainer/work.py").write_text("a = 2")
    os.utime(components / "trainer/work.py", ns=(1, 1))


def add(packages: Path, components: Path) -> None:
    (components / "trainer/more.py").touch()


@pytest.mark.parametrize("change", [upgrade, edit, add])
def test_a_fingerprint_changes_with_what_is_installed_and_with_our_components(
    environment: Environment, components: Path, change: Callable[[Path, Path], None]
) -> None:
    before = fingerprint(environment)
    assert fingerprint(environment) == before
    change(environment.packages, components)
    assert fingerprint(environment) != before


def test_compiled_files_and_times_do_not_change_a_fingerprint(environment: Environment, components: Path) -> None:
    before = fingerprint(environment)
    (components / "__pycache__").mkdir()
    (components / "__pycache__/work.pyc").touch()
    (environment.packages / "module.py").touch()
    os.utime(components / "trainer/work.py", ns=(5, 5))
    assert fingerprint(environment) == before


# ---------------------------------------------------------------- making
@pytest.fixture
def uv(tmp_path: Path) -> Path:
    """Does what uv does to the file system, and notes what it was asked; fails on `sync` where `broken` is."""
    path = tmp_path / "uv"
    path.write_text(
        f"""#!/bin/sh
echo "$1 $2" >> {tmp_path}/asked
for last; do :; done
case "$1" in
venv) mkdir -p "$last/bin" "$last/lib/python3.11/site-packages"; ln -s {sys.executable} "$last/bin/python";;
pip) if [ -e {tmp_path}/broken ]; then echo "hash mismatch for numpy" >&2; exit 2; fi;;
esac
"""
    )
    path.chmod(0o755)
    return path


def asked(uv: Path) -> list[str]:
    file = uv.with_name("asked")
    lines = [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_an_environment_is_made_once_and_again_when_its_lock_changes(settings: Settings, uv: Path) -> None:
    said: list[str] = []
    recipes = making.recipes(settings, ["mine"])
    assert not making.is_current(recipes[0])
    making.make(recipes, str(uv), said.append)
    assert asked(uv) == ["venv", "pip"]
    assert len(said) == 2
    assert resolve(settings, "team/a:1").name == "mine"
    making.make(recipes, str(uv), said.append)
    assert asked(uv) == []
    (settings.root / "mine.lock").write_text("nothing==2")
    making.make(recipes, str(uv), said.append)
    assert asked(uv) == ["pip"]


def test_a_making_that_failed_says_why_and_is_done_again(settings: Settings, uv: Path) -> None:
    recipes = making.recipes(settings, ["mine"])
    making.make(recipes, str(uv), lambda _: None)
    (settings.root / "mine.lock").write_text("nothing==2")
    uv.with_name("broken").touch()
    with pytest.raises(making.CannotMake, match=r"environment 'mine'.*\n.*uv pip sync.*\nhash mismatch for numpy"):
        making.make(recipes, str(uv), lambda _: None)
    assert not making.is_whole(recipes[0].path)
    uv.with_name("broken").unlink()
    making.make(recipes, str(uv), lambda _: None)
    assert making.is_current(recipes[0])


def test_tidegate_is_there_in_an_environment_that_was_made(settings: Settings, uv: Path) -> None:
    (recipe,) = making.recipes(settings, ["mine"])
    making.make([recipe], str(uv), lambda _: None)
    paths = (recipe.path / "lib/python3.11/site-packages/tidegate.pth").read_text().splitlines()
    assert paths == [str(making.PACKAGE.parent)]
    assert (Path(paths[0]) / "tidegate/components/errors.py").is_file()


def test_installed_tidegate_is_linked_and_nothing_beside_it(
    settings: Settings, uv: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = tmp_path / "site-packages/tidegate"
    installed.mkdir(parents=True)
    monkeypatch.setattr(making, "PACKAGE", installed)
    (recipe,) = making.recipes(settings, ["mine"])
    making.make([recipe], str(uv), lambda _: None)
    packages = recipe.path / "lib/python3.11/site-packages"
    assert (packages / "tidegate").resolve() == installed
    assert (packages / "tidegate.pth").read_text() == ""


def test_locks_that_tidegate_brings_are_found_by_name(settings: Settings) -> None:
    by_name = {recipe.name: recipe for recipe in making.recipes(settings)}
    assert by_name["components"].lock == making.LOCKS / "components.lock"
    assert by_name["mine"].lock == settings.root / "mine.lock"
    assert "--require-hashes" in by_name["components"].commands("uv")[-1]


def test_names_and_locks_that_are_not_there_are_told(settings: Settings) -> None:
    with pytest.raises(making.CannotMake, match=r"no environment 'other' has a lock.*those that have: components, s"):
        making.recipes(settings, ["other"])
    (settings.root / "mine.lock").unlink()
    with pytest.raises(making.CannotMake, match=r"'mine': no lock .*mine\.lock; those that tidegate brings are comp"):
        making.recipes(settings, ["mine"])


def test_every_lock_has_hashes_and_names_no_index() -> None:
    for lock in making.LOCKS.glob("*.lock"):
        text = lock.read_text()
        pins = sum(line[:1].isalnum() for line in text.splitlines())
        assert pins
        assert text.count("==") >= pins
        assert text.count("--hash=") >= pins
        assert "index-url http" not in text


def test_the_stamp_is_the_last_thing_written(settings: Settings, uv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (recipe,) = making.recipes(settings, ["mine"])

    def cut(_: making.Recipe) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "bring_tidegate", cut)
    with pytest.raises(KeyboardInterrupt):
        making.make([recipe], str(uv), lambda _: None)
    assert not making.is_whole(recipe.path)
    monkeypatch.undo()
    making.make([recipe], str(uv), lambda _: None)
    assert json.loads((recipe.path / ".tidegate.json").read_text()) == {"digest": recipe.digest()}

"""The README does what it says: its Python runs, its settings are read, its commands and targets are there."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _commands() -> list[list[str]]:
    lines = [line for block in _blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    parts = [part for line in lines for part in line[2:].split(" && ")]
    return [shlex.split(part, comments=True) for part in parts]


def test_the_component_of_the_readme_runs(tmp_path):
    definition, use = _blocks("python")
    (tmp_path / "greetings.py").write_text(definition)
    (tmp_path / "use.py").write_text(use)
    (tmp_path / "tidegate.toml").write_text("")
    done = subprocess.run([sys.executable, "use.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_settings_of_the_readme_are_read(tmp_path):
    from tidegate.local.settings import load

    (block,) = _blocks("toml")
    (tmp_path / "pyproject.toml").write_text(block)
    settings = load(tmp_path)
    assert settings.images["my-team/trainer:*"] == "training"
    assert settings.environments["training"].preload == tuple(
        tomllib.loads(block)["tool"]["tidegate"]["environments"]["training"]["preload"]
    )


@pytest.mark.parametrize("command", [c for c in _commands() if c and c[0] == "tidegate"], ids=" ".join)
def test_every_command_line_of_the_readme_is_understood(command):
    options = [word for word in command[2:] if word.startswith("--")]
    told = _help(command[1])
    if command[2:] and re.search(rf"^  {re.escape(command[2])}  ", told, re.MULTILINE):  # a group's command
        told = _help(*command[1:3])
    for option in options:
        assert option in told


def _help(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", *command, "--help"], capture_output=True, text=True, env={"COLUMNS": "200"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {command[1] for command in _commands() if command and command[0] == "make"} <= targets


def test_every_link_of_the_readme_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target

"""The command line as a whole: help, typos, exit codes, what starting costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Tidegate
from tidegate.cli.app import ENTRIES

ENTRY_POINT = [sys.executable, "-m", "tidegate.cli.main"]


def test_help_lists_every_command_with_what_it_does(tidegate: Tidegate) -> None:
    said = tidegate("--help")
    assert said.code == 0
    for entry in ENTRIES.values():
        assert f"{entry.name} " in said.out
        assert entry.summary in said.out


@pytest.mark.parametrize("command", sorted(ENTRIES))
def test_each_command_explains_itself(tidegate: Tidegate, command: str) -> None:
    said = tidegate(command, "--help")
    assert said.code == 0
    assert ENTRIES[command].summary in " ".join(said.out.split())
    assert f"tidegate {command}" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize("command", sorted(set(ENTRIES) - {"version", "setup", "doctor"}))
def test_each_command_that_needs_it_has_examples(tidegate: Tidegate, command: str) -> None:
    assert "Examples\n  tidegate " in tidegate(command, "--help").out


def test_a_typo_is_told_with_what_was_probably_meant(tidegate: Tidegate) -> None:
    said = tidegate("lineag")
    assert said.code == 2
    assert said.err.startswith("error: there is no command 'lineag'; did you mean 'lineage'?")


def test_an_unknown_option_is_told_with_the_usage(tidegate: Tidegate) -> None:
    said = tidegate("runs", "--limt", "3")
    assert said.code == 2
    assert "--limt" in said.err
    assert "--limit" in said.err
    assert "tidegate runs --help" in said.err


def test_a_missing_argument_is_told_with_its_name(tidegate: Tidegate) -> None:
    said = tidegate("show")
    assert (said.code, said.out) == (2, "")
    assert "RUN" in said.err


def test_no_command_at_all_shows_the_help(tidegate: Tidegate) -> None:
    said = tidegate()
    assert "Run pipelines" in said.out + said.err


def test_looking_makes_no_store(tidegate: Tidegate, tmp_path: Path) -> None:
    said = tidegate("runs")
    assert said.code == 2
    assert "there is no store" in said.err
    assert not (tmp_path / "store").exists()


def test_a_damaged_store_is_told_without_a_traceback(tidegate: Tidegate, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.db").write_text("this is no database, it is a text of some length" * 100)
    said = tidegate("runs")
    assert said.code == 2
    assert "is not a tidegate store" in said.err
    assert "Traceback" not in said.err


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = f"{' '.join(ENTRY_POINT)} --help | head -1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert ran.stderr == ""
    assert ran.stdout.splitlines()[-1] in ("0", "141")


def test_completion_offers_commands(tidegate: Tidegate) -> None:
    assert "_TIDEGATE_COMPLETE" in tidegate("completion", "bash").out
    asked = {**os.environ, "_TIDEGATE_COMPLETE": "complete_bash", "COMP_WORDS": "tidegate ru", "COMP_CWORD": "1"}
    ran = subprocess.run(ENTRY_POINT, env=asked, capture_output=True, text=True)
    assert ran.stdout.split() == ["run", "runs"]


@pytest.mark.parametrize("command", [["--help"], ["runs"], ["version"]])
def test_looking_imports_nothing_heavy(command: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", *ENTRY_POINT[1:], *command], capture_output=True, text=True
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "typer" in imported
    assert not imported & {"kfp", "kubernetes", "rich", "google.protobuf", "asyncio", "httpx", "jinja2"}

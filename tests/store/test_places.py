"""Names come from pipelines; folders stay inside the store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.store.places import project_root, run_id, segment, store_folder, task_folder

AT = datetime(2026, 11, 21, 6, 58, 12, tzinfo=UTC)


def test_run_ids_are_readable_and_sort_by_time() -> None:
    first = run_id("flights", AT, 0x3F2A)
    assert first == "flights-20261121-065812-3f2a"
    assert first < run_id("flights", AT.replace(minute=59), 0)


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("My Pipeline!", "my-pipeline-2026"),
        ("../../etc", "etc-2026"),
        ("", "pipeline-2026"),
        ("é" * 400, "pipeline-2026"),
    ],
)
def test_run_ids_are_plain_whatever_the_pipeline_is_called(name: str, begins: str) -> None:
    assert run_id(name, AT, 1).startswith(begins)


@given(st.text(min_size=1))
@example("..")
@example(".")
@example("a/b")
@example("x" * 300)
@example("~")
def test_any_name_is_one_folder_name(name: str) -> None:
    made = segment(name)
    assert "/" not in made and "\0" not in made and made not in {"", ".", ".."}
    assert len(made) <= 100


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
@example(["a b", "a_b"])
@example(["a.b", "a/b"])
def test_two_names_never_share_a_folder(names: list[str]) -> None:
    assert segment(names[0]) != segment(names[1])


@given(st.text(alphabet="ab./\\ ", max_size=40))
@example("../../../etc/passwd")
@example("deep/" * 200)
def test_a_tasks_folder_is_inside_the_run_and_not_too_long(path: str) -> None:
    run = Path("/store/runs/r")
    found = task_folder(run, path)
    assert (run / "tasks") in found.parents
    assert ".." not in found.parts
    assert len(str(found)) < 400


def test_plain_paths_are_the_folders_they_look_like() -> None:
    assert task_folder(Path("/r"), "loop/3/train") == Path("/r/tasks/loop/3/train")


@pytest.mark.parametrize("mark", ["pyproject.toml", "tidegate.toml", ".git"])
def test_the_store_is_in_the_nearest_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str) -> None:
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "project" / mark).touch()
    monkeypatch.chdir(inner)
    monkeypatch.delenv("TIDEGATE_STORE", raising=False)
    assert project_root() == tmp_path / "project"
    assert store_folder() == tmp_path / "project" / ".tidegate"


def test_what_is_said_beats_the_variable_and_the_variable_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_STORE", str(tmp_path / "variable"))
    assert store_folder() == tmp_path / "variable"
    assert store_folder(tmp_path / "said") == tmp_path / "said"

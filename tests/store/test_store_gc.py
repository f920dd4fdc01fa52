"""Giving space back without taking what is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.diary import Diary
from tidegate.store import Store, StoreError, collect
from tidegate.store.locks import RunLock


def files(store: Store) -> set[str]:
    return {str(path.relative_to(store.folder / "runs")) for path in store.folder.glob("runs/**/outputs/*")}


def test_only_the_last_runs_stay_and_the_bytes_are_told(store: Store, diary: Diary) -> None:
    for number in (1, 2, 3):
        diary.task(diary.run(f"r{number}"), "t", gives={"data": "x" * 1000}, key=f"k{number}")
    freed = collect(store, keep=2, now=9e9)
    assert freed.runs == ("r1",)
    assert freed.cache_entries == 1
    assert freed.size == 1000 + len("done\n")
    assert files(store) == {"r2/tasks/t/attempt-1/outputs/data", "r3/tasks/t/attempt-1/outputs/data"}
    assert [run.id for run in store.runs.listing()] == ["r3", "r2"]
    assert store.cache.get("k1") is None and store.cache.get("k2") is not None
    with pytest.raises(StoreError):
        store.runs.get("r1")
    assert len(store.artifacts.listing()) == 2


def test_a_dry_run_tells_the_same_and_takes_nothing(store: Store, diary: Diary) -> None:
    for number in (1, 2):
        diary.task(diary.run(f"r{number}"), "t", gives={"data": "x"}, key=f"k{number}")
    before = files(store)
    told = collect(store, keep=1, now=9e9, dry_run=True)
    assert files(store) == before
    assert store.cache.get("k1") is not None
    assert collect(store, keep=1, now=9e9) == told


def test_runs_newer_than_a_time_stay(store: Store, diary: Diary) -> None:
    for number in (1, 2, 3):
        diary.run(f"r{number}", created=float(number))
    assert collect(store, newer_than=2.0, now=9e9).runs == ("r1",)


def test_what_the_cache_gave_to_a_kept_run_stays_with_its_history(store: Store, diary: Diary) -> None:
    old = diary.run("old")
    (raw,) = diary.task(old, "import", gives={"raw": "r"})
    data, _ = diary.task(old, "prepare", (raw,), gives={"data": "d", "extra": "e"})
    new = diary.run("new")
    with store.transaction():
        store.artifacts.linked(new, "prepare", "out", "data", [data])
    collect(store, keep=1, now=9e9)
    assert files(store) == {"old/tasks/prepare/attempt-1/outputs/data"}
    assert [step.artifact.id for step in store.artifacts.ancestors(store.artifacts.get(data))] == [raw]
    assert [run.id for run in store.runs.listing()] == ["new"]
    assert store.runs.get("old").user == "ada"


def test_what_a_pushed_model_took_stays(store: Store, diary: Diary) -> None:
    run = diary.run("r")
    (raw,) = diary.task(run, "import", gives={"raw": "r"})
    (statistics,) = diary.task(run, "statistics", (raw,), gives={"statistics": "s"})
    (model,) = diary.task(run, "train", (raw,), gives={"model": "m"}, type="system.Model")
    diary.task(run, "push", (model, statistics), gives={"pushed": "p"}, type="system.PushedModel")
    diary.run("later")
    collect(store, keep=1, now=9e9)
    assert {Path(name).name for name in files(store)} == {"pushed", "model", "statistics"}
    collect(store, keep=1, now=9e9)
    assert {Path(name).name for name in files(store)} == {"pushed", "model", "statistics"}


def test_a_run_that_is_being_driven_stays(store: Store, diary: Diary) -> None:
    diary.run("going", state="running")
    diary.run("dead", state="running")
    lock = RunLock(store.runs.folder("going"))
    assert collect(store, now=9e9).runs == ("dead",)
    lock.close()
    assert collect(store, now=9e9).runs == ("going",)


def test_folders_that_a_killed_collection_left_go_with_the_next(store: Store, diary: Diary) -> None:
    stray = store.folder / "runs" / "gone"
    stray.mkdir()
    (stray / "file").write_bytes(b"12345")
    assert collect(store, now=9e9).size == 5
    assert not stray.exists()


def test_artifacts_outside_the_store_are_never_touched(store: Store, diary: Diary, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    diary.task(diary.run("r"), "import", gives={"raw": "r"})
    with store.transaction():
        store.database.execute("UPDATE artifacts SET uri = ?", str(tmp_path / "data"))
    collect(store, now=9e9)
    assert (tmp_path / "data").read_text() == "mine"

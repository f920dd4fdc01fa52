"""Opening, sharing and filling a store."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.diary import Diary
from tidegate.store import Store, StoreError, StoreFull
from tidegate.store.locks import RunLock, ask


def test_a_store_makes_itself_and_stays_out_of_git(tmp_path: Path) -> None:
    with Store(tmp_path / "new" / "store") as store:
        assert store.runs.listing() == []
    assert (tmp_path / "new" / "store" / ".gitignore").read_text() == "*\n"


def test_a_newer_store_is_refused_with_what_to_do(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "store.db") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(StoreError, match=r"newer tidegate \(version 99 .* upgrade tidegate"):
        Store(tmp_path)


def test_a_damaged_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StoreError, match="not a tidegate store, or it is damaged"):
        Store(tmp_path)


def test_a_place_that_cannot_be_a_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot make the store .*--store"):
        Store(tmp_path / "file")


def test_what_fails_halfway_leaves_nothing(store: Store) -> None:
    diary = Diary(store)
    run = diary.run("r")
    with pytest.raises(RuntimeError), store.transaction():
        store.runs.append(run, 0, ["a", "b"])
        store.runs.put_task(run, "t", state="running")
        raise RuntimeError
    assert store.runs.events(run) == []
    assert store.runs.tasks(run) == ()


def test_two_engines_cannot_both_write_a_runs_events(store: Store, diary: Diary) -> None:
    run = diary.run("r")
    store.runs.append(run, 0, ["a", "b"])
    with pytest.raises(StoreError, match="another engine"):
        store.runs.append(run, 1, ["c"])
    assert store.runs.events(run) == ["a", "b"]


WRITER = """
import sys
from tidegate.store import Store
from tests.store.diary import Diary
with Store(sys.argv[1]) as store:
    diary = Diary(store)
    for number in range(30):
        run = diary.run(f"{sys.argv[2]}-{number}")
        store.runs.append(run, 0, ["started"])
        diary.task(run, "t", gives={"data": sys.argv[2]}, key="shared")
"""


def test_processes_write_one_store_at_the_same_time_and_nothing_is_lost(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "store", name], cwd=Path(__file__).parents[2])
        for name in ("a", "b", "c")
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    with Store(tmp_path / "store") as store:
        assert len(store.runs.listing()) == 90
        assert len(store.artifacts.listing()) == 90
        assert all(store.runs.events(run.id) == ["started"] for run in store.runs.listing())
        entry = store.cache.get("shared")
        assert entry is not None
        assert entry.run.endswith("-29")


FILLER = """
import resource, sys
from tidegate.store import Store, StoreFull
from tests.store.diary import Diary
with Store(sys.argv[1]) as store:
    diary = Diary(store)
    run = diary.run("r")
    store.runs.append(run, 0, ["first"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    kept = 1
    try:
        while True:
            store.runs.append(run, kept, ["x" * 100_000])
            kept += 1
    except StoreFull as error:
        print(kept)
        print(error)
"""


def test_a_full_disk_keeps_what_was_written_and_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLER, tmp_path / "store"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    kept, message = done.stdout.strip().split("\n", 1)
    assert "no space is left" in message
    assert "tidegate gc" in message
    with Store(tmp_path / "store") as store:
        assert len(store.runs.events("r")) == int(kept)
        store.runs.append("r", int(kept), ["after"])
    assert int(kept) > 1
    assert issubclass(StoreFull, StoreError)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_run_is_driven_by_one_and_can_be_asked_by_others(store: Store, diary: Diary) -> None:
    run = diary.run("r", state="running")
    folder = store.runs.folder(run)
    assert store.runs.get(run).state == "interrupted"
    assert not ask(folder, "cancel")
    lock = RunLock(folder)
    assert store.runs.get(run).state == "running"
    with pytest.raises(StoreError, match="driven by process"):
        RunLock(folder)
    assert ask(folder, "cancel enough\nof it")
    assert os.read(lock.control, 100) == b"cancel enough of it\n"
    lock.close()
    assert store.runs.get(run).state == "interrupted"
    assert not ask(folder, "cancel")


def test_a_run_is_found_by_what_people_type(store: Store, diary: Diary) -> None:
    old = diary.run("flights-20261120-100000-aaaa")
    new = diary.run("flights-20261121-100000-bbbb")
    last = diary.run("penguins-20261121-110000-cccc", pipeline="penguins")
    names = {old: old, "aaaa": old, "flights": new, "latest": last, "flights-20261121": new}
    assert {typed: store.runs.resolve(typed) for typed in names} == names
    with pytest.raises(StoreError, match="could be flights-20261121-100000-bbbb, flights-20261120-100000-aaaa"):
        store.runs.resolve("flights-2026112")
    with pytest.raises(StoreError, match=r"no run 'nope' .* the last ones are penguins-"):
        store.runs.resolve("nope")


def test_a_running_task_shows_what_it_last_said(store: Store, diary: Diary) -> None:
    run = diary.run("r")
    diary.task(run, "train")
    folder = Path(store.runs.task(run, "train").folder)
    (folder / "progress.json").write_text(json.dumps({"message": "epoch 3/10"}))
    store.runs.put_task(run, "train", state="running")
    assert store.runs.task(run, "train").progress == "epoch 3/10"
    (folder / "progress.json").write_text("{half")
    assert store.runs.task(run, "train").progress == ""


def test_a_task_is_found_by_the_end_of_its_path_and_a_miss_lists_the_tasks(store: Store, diary: Diary) -> None:
    run = diary.run("r")
    diary.task(run, "loop/1/train")
    diary.task(run, "loop/2/train")
    assert store.runs.task(run, "2/train").path == "loop/2/train"
    with pytest.raises(StoreError, match="several tasks 'train': loop/1/train, loop/2/train"):
        store.runs.task(run, "train")
    with pytest.raises(StoreError, match="no task 'tune': loop/1/train"):
        store.runs.task(run, "tune")

"""Digests say what an artifact holds, and nothing else."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.store.digests import ABSENT, Content, UnsafeContent, read, still


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "variables").mkdir(parents=True)
    (root / "assets").mkdir()
    (root / "saved_model.pb").write_bytes(b"graph")
    (root / "variables" / "data").write_bytes(b"weights")
    (root / "variables" / "empty").touch()
    return root


def test_a_files_digest_is_what_sha256sum_prints(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(b"a,b\n1,2\n")
    printed = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout
    assert read(file).digest == "sha256:" + printed.split()[0]
    assert read(file).size == 8


def test_a_copy_has_the_same_digest_whatever_its_modes_and_times(model: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", model, tmp_path / "copy"], check=True)
    (tmp_path / "copy" / "saved_model.pb").chmod(0o700)
    os.utime(tmp_path / "copy" / "saved_model.pb", (1, 1))
    assert read(tmp_path / "copy").digest == read(model).digest
    assert read(model).size == len(b"graph") + len(b"weights")


def _rename(root: Path) -> None:
    (root / "saved_model.pb").rename(root / "other.pb")


def _drop_empty_folder(root: Path) -> None:
    (root / "assets").rmdir()


def _swap(root: Path) -> None:
    (root / "saved_model.pb").write_bytes(b"weights")
    (root / "variables" / "data").write_bytes(b"graph")


def _file_for_folder(root: Path) -> None:
    (root / "assets").rmdir()
    (root / "assets").touch()


def _link_for_file(root: Path) -> None:
    (root / "saved_model.pb").unlink()
    (root / "saved_model.pb").symlink_to(root / "variables" / "data")


@pytest.mark.parametrize("change", [_rename, _drop_empty_folder, _swap, _file_for_folder, _link_for_file])
def test_any_change_of_names_kinds_or_bytes_changes_the_digest(model: Path, change: Callable[[Path], None]) -> None:
    before = read(model)
    change(model)
    assert read(model).digest != before.digest
    assert still(model, before) is None


@given(st.dictionaries(st.text("ab\n", min_size=1, max_size=3), st.binary(max_size=3), min_size=2, max_size=4))
def test_no_two_folders_share_a_digest_by_the_way_names_and_bytes_join(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("content")
    for name, data in files.items():
        (root / name).write_bytes(data)
    digest = read(root).digest
    first, second = sorted(files)[:2]
    (root / first).write_bytes(files[first] + b"x")
    assert read(root).digest != digest
    (root / first).write_bytes(files[first])
    (root / second).rename(root / (second + "b" * 4))
    assert read(root).digest != digest


@pytest.mark.parametrize("target", ["/etc/hostname", "../../outside"])
def test_a_link_that_leads_out_is_refused_with_its_name_and_target(model: Path, target: str) -> None:
    (model / "assets" / "link").symlink_to(target)
    with pytest.raises(UnsafeContent, match=rf"assets/link .* leads out .* {target}"):
        read(model)


def test_a_link_inside_stays_the_same_where_the_folder_is_moved(model: Path, tmp_path: Path) -> None:
    (model / "latest").symlink_to(model / "saved_model.pb")
    before = read(model).digest
    (model / "latest").unlink()
    moved = model.rename(tmp_path / "moved")
    (moved / "latest").symlink_to("saved_model.pb")
    assert read(moved).digest == before


def test_imported_data_may_lie_behind_links_but_not_in_a_circle(model: Path, tmp_path: Path) -> None:
    behind = tmp_path / "imported"
    behind.mkdir()
    for child in model.iterdir():
        (behind / child.name).symlink_to(child)
    assert read(behind, follow_links=True).digest == read(model).digest
    (model / "assets" / "up").symlink_to(behind)
    with pytest.raises(UnsafeContent, match="a folder above itself"):
        read(behind, follow_links=True)


def test_a_socket_is_no_artifact(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        with pytest.raises(UnsafeContent, match="neither a file nor a folder"):
            read(tmp_path)


def test_nothing_at_a_path_is_content_too_until_something_comes(tmp_path: Path) -> None:
    nothing = read(tmp_path / "metrics")
    assert nothing.digest == ABSENT
    assert still(tmp_path / "metrics", nothing) == nothing
    (tmp_path / "metrics").touch()
    assert still(tmp_path / "metrics", nothing) is None


def test_unchanged_content_is_not_read_again_and_touched_content_is(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = read(model)
    reads: list[object] = []
    whole = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, kind: reads.append(file) or whole(file, kind))
    assert still(model, known) == known
    assert reads == []
    os.utime(model / "saved_model.pb", (5, 5))
    found = still(model, known)
    assert found is not None
    assert found.digest == known.digest
    assert found.stat != known.stat
    assert len(reads) == 3


def test_the_same_size_and_time_do_not_hide_other_bytes(model: Path) -> None:
    known = read(model)
    times = (model / "saved_model.pb").stat()
    (model / "saved_model.pb").write_bytes(b"GRAPH")
    os.utime(model / "saved_model.pb", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert still(model, known) is None


def test_a_reader_that_leaves_no_trace_in_the_entries_changes_nothing(model: Path) -> None:
    known = read(model)
    (model / "assets" / "lock").touch()
    (model / "assets" / "lock").unlink()
    assert still(model, known) == known


def test_a_name_that_is_not_utf8_has_a_digest(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux has such names")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")).write_bytes(b"x")
    assert isinstance(read(tmp_path), Content)

"""The payload log: sampled by id, bounded on disk, never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tidegate.serving.payloads import LogSettings, PayloadLog, chosen


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_requests_and_answers_are_logged_with_model_and_version(tmp_path: Path) -> None:
    log = PayloadLog(LogSettings(tmp_path), "flights", "00001", "p1")
    log.add(12.5, "a", {"carrier": ["UA"], "examples": [b"\x01"]}, {"probability": [0.25]})
    log.close()

    (found,) = lines(tmp_path)
    assert found == {
        "at": 12.5, "id": "a", "model": "flights", "version": "00001",
        "inputs": {"carrier": ["UA"], "examples": ["AQ=="]}, "outputs": {"probability": [0.25]},
    }  # fmt: skip
    assert (log.logged, log.dropped) == (1, 0)


def test_the_sample_follows_from_the_id_and_has_the_size_that_was_asked_for() -> None:
    ids = [f"request-{i}" for i in range(20_000)]
    taken = [i for i in ids if chosen(i, 0.1)]

    assert 1800 < len(taken) < 2200
    assert [i for i in taken if chosen(i, 0.2)] == taken, "a larger sample has the smaller one's requests"
    assert all(chosen(i, 1.0) for i in ids) and not any(chosen(i, 0.0) for i in ids)


def test_the_oldest_files_go_when_there_is_too_much_also_those_of_others(tmp_path: Path) -> None:
    old = tmp_path / "m-0-000001.jsonl"
    old.write_text('{"id": "old"}\n')
    os.utime(old, (1, 1))
    log = PayloadLog(LogSettings(tmp_path, most_bytes=80_000), "m", "1", "m-1")
    for start in range(0, 2000, 500):  # its queue holds a thousand
        for i in range(start, start + 500):
            log.add(0.0, str(i), {"x": ["y" * 100]}, {})
        while not log._queue.empty():
            pass
    log.close()

    kept = lines(tmp_path)
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 82_000 and not old.exists()
    assert kept[-1]["id"] == "1999" and len(kept) < 1000 and log.logged == 2000


def test_a_disk_that_refuses_does_not_stop_the_answers(tmp_path: Path) -> None:
    log = PayloadLog(LogSettings(tmp_path / "log"), "m", "1", "p")
    for path in (tmp_path / "log").iterdir():
        path.unlink()
    (tmp_path / "log").rmdir()
    for i in range(5000):
        log.add(0.0, str(i), {}, {})
    log.close()

    assert log.logged + log.dropped <= 5001
    assert not log._thread.is_alive()

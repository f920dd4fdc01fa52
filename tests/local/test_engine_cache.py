"""When work is done again, when not, and why."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.local.lab import Lab
from tidegate.local.api import Result
from tidegate.store import collect


def states(result: Result) -> dict[str, str]:
    return {path: task.state for path, task in result.tasks.items()}


def misses(result: Result) -> dict[str, str]:
    return {path: task.why_missed for path, task in result.tasks.items()}


def test_the_same_work_is_done_once(lab: Lab) -> None:
    first, second = lab.run("two"), lab.run("two")
    assert misses(first) == {"make": "first run of this component", "count": "first run of this component"}
    assert states(second) == {"make": "cached", "count": "cached"}
    assert {task.cached_from for task in second.tasks.values()} == {first.id}
    assert second.outputs == first.outputs == {"Output": 3}
    assert second.tasks["make"].outputs["data"] == first.tasks["make"].outputs["data"]
    assert lab.lines == ["count", "make 3"]


def test_only_what_a_change_reaches_runs_again_and_says_so(lab: Lab) -> None:
    lab.run("two")
    later = lab.run("two", add=10)
    assert states(later) == {"make": "cached", "count": "succeeded"}
    assert misses(later)["count"] == "parameter add changed"
    assert later.outputs == {"Output": 13}
    more = lab.run("two", n=4)
    assert misses(more) == {"make": "parameter n changed", "count": "input data changed"}


def test_the_same_content_made_anew_answers_for_what_follows(lab: Lab) -> None:
    lab.run("two")
    (lab.folder / "other").touch()
    later = lab.run("two", trace=str(lab.folder / "other"))
    assert misses(later) == {"make": "parameter trace changed", "count": "parameter trace changed"}
    assert later.tasks["make"].outputs["data"].digest == lab.run("two").tasks["make"].outputs["data"].digest


def test_changed_code_is_a_miss(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.local import lab as module

    changed = lab.folder / "changed.py"
    source = module.PIPELINES.read_text()
    changed.write_text(source)
    monkeypatch.setattr(module, "PIPELINES", changed)
    lab.run("two")
    changed.write_text(source.replace("+ add", "+ add + 1000"))
    later = lab.run("two")
    assert states(later) == {"make": "cached", "count": "succeeded"}
    assert misses(later)["count"] == "command changed"
    assert later.outputs == {"Output": 1003}


def test_caching_can_be_off_for_a_task_for_a_run_and_for_what_is_old(lab: Lab) -> None:
    lab.run("uncached")
    assert misses(lab.run("uncached"))["make"] == "caching is off for this task"
    lab.run("two")
    again = lab.run("two", {"caching": False})
    assert set(misses(again).values()) == {"caching is off for this run"}
    assert lab.lines.count("make 3") == 2


def _other_bytes(path: Path) -> None:
    times = path.stat()
    path.write_text("y" * times.st_size)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _gone(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [_other_bytes, _gone, _cut])
def test_what_was_harmed_is_never_a_hit(lab: Lab, harm) -> None:  # type: ignore[no-untyped-def]
    first = lab.run("two")
    harm(first.tasks["make"].outputs["data"].path)
    second = lab.run("two")
    assert second.tasks["make"].state == "succeeded"
    assert second.tasks["make"].why_missed == f"what run {first.id} made is gone or was changed"
    assert second.tasks["make"].outputs["data"].path.read_text() == "xxx"
    assert states(lab.run("two")) == {"make": "cached", "count": "cached"}


def test_what_was_only_touched_still_is_one(lab: Lab) -> None:
    first = lab.run("two")
    os.utime(first.tasks["make"].outputs["data"].path, (5, 5))
    assert states(lab.run("two")) == {"make": "cached", "count": "cached"}


def test_a_failed_tasks_outputs_are_gone_its_log_is_kept_and_nothing_of_it_answers(lab: Lab) -> None:
    good = lab.folder / "good"
    failed = lab.run("spoiled", {"check": False}, good=str(good))
    spoil = failed.tasks["spoil"]
    assert (failed.state, spoil.state) == ("failed", "failed")
    assert "there is nothing good" in spoil.error
    assert "about to look" in spoil.log
    assert spoil.log_path is not None
    assert not (spoil.log_path.parent / "outputs").exists()
    assert spoil.outputs == {}
    good.touch()
    later = lab.run("spoiled", good=str(good))
    assert states(later) == {"make": "cached", "spoil": "succeeded"}


def test_imported_data_is_known_by_its_content(lab: Lab) -> None:
    data = lab.folder / "data.txt"
    data.write_text("one")
    assert lab.run("importing", uri="data.txt").outputs == {"Output": "one"}
    os.utime(data, (5, 5))
    assert lab.run("importing", uri=str(data)).tasks["read"].state == "cached"
    data.write_text("two")
    later = lab.run("importing", uri="data.txt")
    assert later.outputs == {"Output": "two"}
    assert later.tasks["read"].why_missed == "input data changed"


def test_importing_what_is_not_there_says_what_was_expected(lab: Lab) -> None:
    failed = lab.run("importing", {"check": False}, uri="nowhere")
    assert failed.tasks["importer"].error.startswith(f"nothing to import at {lab.folder}/nowhere: expected a file")
    assert failed.tasks["read"].state == "skipped"


def test_a_remote_uri_is_taken_as_it_is(lab: Lab) -> None:
    made = lab.run("remote", uri="gs://bucket/data")
    artifact = made.tasks["importer"].outputs["artifact"]
    assert (artifact.uri, artifact.digest) == ("gs://bucket/data", "")


def test_gc_takes_what_nobody_needs_and_the_next_run_makes_it_again(lab: Lab) -> None:
    lab.run("two")
    lab.run("two", n=4)
    cached = lab.run("two", n=4)
    with lab.store() as store:
        freed = collect(store, keep=1, now=time.time())
    assert len(freed.runs) == 2
    assert cached.tasks["make"].outputs["data"].path.read_text() == "xxxx"
    assert states(lab.run("two")) == {"make": "succeeded", "count": "succeeded"}
    assert states(lab.run("two", n=4)) == {"make": "succeeded", "count": "succeeded"}

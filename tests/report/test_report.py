"""The report, of records and summary files as the components write them."""

import json
from pathlib import Path

import pytest

from tidegate.report import charts, graph, page
from tidegate.report.svg import tag
from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord

HOSTILE = "<script>alert(1)</script>\"'"


def _run(tmp_path: Path, *tasks: TaskRecord, **fields: object) -> RunRecord:
    given = {
        "id": "flights-1",
        "pipeline": "flights",
        "state": "succeeded",
        "created": 1.0,
        "ended": 9.0,
        "user": "ada",
    }
    given |= {"engine": "local", "parameters": {}, "error": "", "code": "", "spec": "", "tasks": tasks}
    return RunRecord(**(given | fields))


def _task(path: str, **outputs: ArtifactRecord) -> TaskRecord:
    made = {name: (artifact,) for name, artifact in outputs.items()}
    return TaskRecord("flights-1", path, path, "task", "succeeded", 1, 1.0, 2.0, 3.0, outputs=made)


def _artifact(folder: Path, type_: str, files: dict[str, object], **metadata: object) -> ArtifactRecord:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return ArtifactRecord(
        1, folder.name, f"system.{type_}", str(folder), "sha256:ab", 7, metadata, "flights-1", "t", 1.0
    )


def test_the_blessing_says_why(tmp_path):
    requirement = {
        "metric": "auc", "slice": "origin=JFK", "against": "", "value": 0.7371, "low": 0.7262, "high": 0.7479,
        "bound": 0.65, "kind": "at_least", "verdict": "holds", "reason": "is at least 0.65",
    }  # fmt: skip
    blessing = _artifact(
        tmp_path / "b", "ModelBlessing", {"blessing.json": {"blessed": True, "requirements": [requirement]}}
    )
    text = page.render(_run(tmp_path, _task("evaluator", blessing=blessing)))
    assert "origin=JFK" in text
    assert "0.7262 … 0.7479" in text
    assert "1 of 1 requirements hold" in text


def test_a_failed_task_shows_its_error_and_the_end_of_its_log(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("\n".join(f"line {n}" for n in range(100)))
    task = TaskRecord("flights-1", "train", "train", "task", "failed", error="ValueError: no labels", log=str(log))
    text = page.render(_run(tmp_path, task, state="failed"))
    assert "ValueError: no labels" in text
    assert "line 99" in text
    assert "line 3\n" not in text


@pytest.mark.parametrize("content", ["", "{", "[]", '{"metrics": 3}', '{"metrics": [1, {"value": "x"}], "roc": null}'])
def test_artifacts_that_are_not_ours_or_half_there_do_not_stop_it(tmp_path, content):
    kinds = {
        "ModelEvaluation": "summary.json", "ModelBlessing": "blessing.json", "ExampleAnomalies": "summary.json",
        "ModelRun": "history.json", "ExampleStatistics": "Split-train/summary.json", "InfraBlessing": "infra.json",
    }  # fmt: skip
    made = {kind: _artifact(tmp_path / kind, kind, {name: content}) for kind, name in kinds.items()}
    assert "flights-1" in page.render(_run(tmp_path, _task("t", **made)))


def test_names_from_outside_are_text_and_nothing_else(tmp_path):
    feature = {"name": HOSTILE, "type": "STRING", "missing": 0, "top": [{"value": HOSTILE, "count": 3}]}
    files = {"Split-train/summary.json": {"split": "train", "rows": 3, "features": [feature]}}
    statistics = _artifact(tmp_path / "s", "ExampleStatistics", files)
    web = _artifact(tmp_path / "w", "HTML", {})
    (tmp_path / "w").rmdir()
    (tmp_path / "w").write_text(f"<p>{HOSTILE}")
    tasks = (_task(HOSTILE, statistics=statistics, web=web),)
    text = page.render(_run(tmp_path, *tasks, pipeline=HOSTILE, parameters={HOSTILE: HOSTILE}, error=HOSTILE))
    assert "<script>alert" not in text
    assert text.count("<script") == 1  # our own
    assert "<iframe sandbox srcdoc=" in text


def test_it_needs_no_network(tmp_path):
    text = page.render(_run(tmp_path, _task("t")))
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text


def test_attributes_and_texts_of_drawings_are_escaped():
    assert str(tag("text", "<b>", x='"')) == '<text x="&quot;">&lt;b&gt;</text>'


def test_tasks_stand_below_what_they_wait_for():
    boxes = graph.layers({"a": (), "b": (), "c": ("a", "b"), "d": ("a",), "e": ("c", "d")})
    assert [boxes[name].layer for name in "abcde"] == [0, 0, 1, 1, 2]
    assert boxes["c"].place != boxes["d"].place


def test_whiskers_of_equal_values_have_a_scale():
    assert "<svg" in charts.whiskers([charts.Whisker("a", 1.0, 1.0, 1.0)])

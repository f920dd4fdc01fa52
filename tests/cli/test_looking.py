"""Commands that look at runs, on a store that real runs have filled."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Filled, Tidegate


# ---------------------------------------------------------------- runs, show
def test_runs_are_listed_newest_first(looking: Tidegate, filled: Filled) -> None:
    listed = looking("runs", "-o", "json").json
    assert [run["run_id"] for run in listed] == [filled.failed, filled.other, filled.good]
    assert [run["state"] for run in listed] == ["failed", "succeeded", "succeeded"]


def test_runs_can_be_chosen_by_state_and_number(looking: Tidegate, filled: Filled) -> None:
    assert [run["run_id"] for run in looking("runs", "--state", "succeeded", "-n", "1", "-o", "json").json] == [
        filled.other
    ]
    assert looking("runs", "--pipeline", "other").out == "no runs\n"


def test_yaml_says_the_same_as_json(looking: Tidegate) -> None:
    assert yaml.safe_load(looking("show", "latest", "-o", "yaml").out) == looking("show", "latest", "-o", "json").json


def test_a_run_shows_its_tasks_with_why_they_ran(looking: Tidegate, filled: Filled) -> None:
    said = looking("show", filled.other)
    lines = {line.split()[0]: line for line in said.out.splitlines() if line.strip()}
    assert "succeeded" in lines["measure"]
    assert " 12 " in lines["measure"]
    assert "parameter rows changed" in lines["measure"]
    assert "Output = 12" in said.out
    assert "condition-1" not in lines


def test_a_failed_run_shows_what_failed_and_what_to_do(looking: Tidegate, filled: Filled) -> None:
    said = looking("show", filled.failed)
    assert "ValueError: the model is bad" in said.out
    assert f"tidegate logs {filled.failed} check" in said.out
    assert f"tidegate resume {filled.failed}" in said.out


def test_earlier_runs_are_counted_back(looking: Tidegate, filled: Filled) -> None:
    assert looking("show", "latest~1", "-o", "json").json["run_id"] == filled.other
    assert looking("show", "latest:toy~2", "-o", "json").json["run_id"] == filled.good
    said = looking("show", "latest~3")
    assert said.code == 2
    assert "there are only 3 runs" in said.err


@pytest.mark.parametrize("reference", ["latest", "latest:toy", "toy"])
def test_the_last_run_has_short_names(looking: Tidegate, filled: Filled, reference: str) -> None:
    assert looking("show", reference, "-o", "json").json["run_id"] == filled.failed


def test_an_id_may_be_shortened_while_it_is_unique(looking: Tidegate, filled: Filled) -> None:
    assert looking("show", filled.good[-4:], "-o", "json").json["run_id"] == filled.good
    said = looking("show", "toy-")
    assert said.code == 2
    assert "could be" in said.err


def test_an_unknown_run_is_told_with_what_there_is(looking: Tidegate, filled: Filled) -> None:
    said = looking("show", filled.good + "x")
    assert said.code == 2
    assert filled.good in said.err
    assert "no run of a pipeline 'nightly'" in looking("show", "latest:nightly").err


# ---------------------------------------------------------------- logs
def test_a_log_is_printed_as_the_task_wrote_it(looking: Tidegate, filled: Filled) -> None:
    assert looking("logs", filled.good, "train").out == "first line\ntraining at 0.5\n"
    assert looking("logs", filled.good, "train", "-n", "1").out == "training at 0.5\n"


def test_a_cached_tasks_log_is_that_of_the_run_that_made_its_outputs(looking: Tidegate, filled: Filled) -> None:
    tasks = looking("show", filled.failed, "-o", "json").json["tasks"]
    assert tasks["train"]["cached_from"] == filled.good
    assert looking("logs", filled.failed, "train").out == "first line\ntraining at 0.5\n"


def test_without_a_task_the_logs_there_are_are_listed(looking: Tidegate, filled: Filled) -> None:
    assert "train" in looking("logs", filled.good).out


def test_a_tasks_path_may_be_shortened_while_it_is_unique(looking: Tidegate, filled: Filled) -> None:
    assert looking("logs", filled.good, "0/push").code == 0
    said = looking("logs", filled.good, "push")
    assert said.code == 2
    assert "0/push" in said.err
    assert "1/push" in said.err


def test_an_unknown_task_is_told_with_the_near_one(looking: Tidegate, filled: Filled) -> None:
    said = looking("logs", filled.good, "trian")
    assert said.code == 2
    assert "did you mean 'train'?" in said.err


# ---------------------------------------------------------------- lineage
def test_lineage_tells_who_made_it_from_what_and_what_for(looking: Tidegate, filled: Filled) -> None:
    said = looking("lineage", f"{filled.good}/train/model", "-o", "json").json
    assert said["made_by"]["run"]["run_id"] == filled.good
    assert said["made_by"]["task"]["parameters"] == {"rate": 0.5}
    assert [(step["artifact"]["name"], step["artifact"]["task"]) for step in said["made_from"]] == [
        ("statistics", "measure")
    ]
    assert said["latest"]["run_id"] == filled.other


def test_lineage_is_a_tree_for_people(looking: Tidegate, filled: Filled) -> None:
    said = looking("lineage", f"{filled.good}/measure/statistics")
    used = said.out.partition("used for")[2]
    assert "model  system.Model" in used
    assert "metrics  system.Metrics" in used


def test_the_best_is_found_by_a_metric(looking: Tidegate, filled: Filled) -> None:
    said = looking("lineage", f"{filled.good}/train/metrics", "--metric", "auc", "-o", "json").json
    assert said["best"]["artifact"]["run_id"] == filled.other
    assert said["best"]["value"] == pytest.approx(0.59)


def test_an_outputs_name_means_the_newest(looking: Tidegate, filled: Filled) -> None:
    assert looking("lineage", "model", "-o", "json").json["artifact"]["run_id"] == filled.other


def test_an_artifact_is_found_by_its_digest_and_its_place(looking: Tidegate, filled: Filled) -> None:
    made = looking("show", filled.good, "-o", "json").json["tasks"]["train"]["outputs"]["model"]
    for reference in (made["digest"], made["digest"][7:15], made["uri"], str(made["id"])):
        assert looking("lineage", reference, "-o", "json").json["artifact"]["digest"] == made["digest"]


def test_an_unknown_output_is_told_with_those_there_are(looking: Tidegate, filled: Filled) -> None:
    said = looking("lineage", f"{filled.good}/train/modl")
    assert said.code == 2
    assert "did you mean 'model'?" in said.err


# ---------------------------------------------------------------- diff
def test_diff_tells_parameters_data_metrics_and_tasks(looking: Tidegate, filled: Filled) -> None:
    said = looking("diff", filled.good, filled.other, "-o", "json").json
    assert {change["name"]: (change["left"], change["right"]) for change in said["parameters"]} == {
        "rows": (10, 12),
        "shift": (1.0, 3.0),
        "rate": (0.5, 0.9),
    }
    moved = {(change["feature"], change["what"]): change for change in said["data"]}
    assert moved["distance", "mean"]["distance"] == pytest.approx(1.0)
    assert moved["", "rows"]["right"] == 12
    assert [(m["metric"], m["left"]["value"], m["right"]["value"]) for m in said["metrics"]] == [("auc", 0.55, 0.59)]
    assert {
        "task": "train",
        "left": "succeeded",
        "right": "succeeded",
        "outputs_that_differ": ["metrics", "model"],
    } in [{**task, "outputs_that_differ": sorted(task["outputs_that_differ"])} for task in said["tasks"]]
    assert said["code"] == []


def test_diff_of_a_run_with_itself_finds_nothing(looking: Tidegate, filled: Filled) -> None:
    said = looking("diff", filled.good, filled.good)
    assert said.out.splitlines()[-1] == "no difference in parameters, tasks, data, metrics, results, code"


def test_diff_shows_changed_code_as_a_unified_diff(tidegate: Tidegate, pipeline: Path) -> None:
    first = tidegate("run", pipeline, "-q", "-o", "json").json["run_id"]
    pipeline.write_text(pipeline.read_text().replace('return "good"', 'return "go" + "od"'))
    second = tidegate("run", pipeline, "-q", "-o", "json").json["run_id"]
    code = tidegate("diff", first, second).out.partition("\ncode\n")[2]
    assert '-    return "good"' in code
    assert '+    return "go" + "od"' in code
    assert code.startswith("check\n")


# ---------------------------------------------------------------- cache, models, report
def test_the_cache_lists_what_would_answer(looking: Tidegate, filled: Filled) -> None:
    entries = looking("cache", "ls", "--component", "train", "-o", "json").json
    assert {entry["run_id"] for entry in entries} == {filled.good, filled.other}


def test_trained_models_are_listed(looking: Tidegate, filled: Filled) -> None:
    listed = looking("models", "--trained", "-o", "json").json
    assert [model["run_id"] for model in listed] == [filled.other, filled.good]
    assert "no pushed models" in looking("models").out


def test_verifying_an_unknown_model_says_where_it_looked(looking: Tidegate) -> None:
    said = looking("verify", "flights", "--key", "model.pub")
    assert said.code == 2
    assert "no run of this store pushed a model" in said.err


def test_the_report_is_one_file(looking: Tidegate, filled: Filled, tmp_path: Path) -> None:
    said = looking("report", filled.good, "--to", tmp_path / "report.html")
    assert said.out == f"{tmp_path / 'report.html'}\n"
    assert filled.good in (tmp_path / "report.html").read_text()

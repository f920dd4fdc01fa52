"""The evaluator: TFMA's numbers, honest intervals, verdicts that say why, clear errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from evaluation_fixtures import flights, write_examples, write_model
from kfp.dsl.executor import Executor

from tidegate.components import evaluator
from tidegate.components.errors import ComponentError
from tidegate.components.evaluator.catalogue import METRICS, of_task
from tidegate.components.evaluator.requirements import parse
from tidegate.components.evaluator.tfma_output import eval_config
from tidegate.components.evaluator.work import Evaluation, evaluate

HEAD = "label: late\ntask: binary\n"
ROWS = 2000


class World:
    """One Examples artifact and a few models, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.examples = write_examples(folder / "examples", train=flights(ROWS, 1), eval=flights(ROWS, 2))
        self.good = write_model(folder / "good", ["x", "one"], [1.0, -1.0])
        self.worse = write_model(folder / "worse", ["x", "noise", "one"], [1.0, 2.0, -1.0])
        self.noise = write_model(folder / "noise", ["noise"], [1.0])
        self._runs = 0

    def run(self, requirements: str, model: Path | None = None, **given: Any) -> tuple[Evaluation, Path]:
        self._runs += 1
        out = self.folder / f"out{self._runs}"
        given.setdefault("examples", self.examples)
        done = evaluate(
            model=model or self.good, requirements=requirements, evaluation=out / "e", blessing=out / "b", **given
        )
        return done, out


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("evaluator"))


def requirement(text: str, head: str = HEAD) -> str:
    return f"{head}requirements:\n  - {text}\n"


def summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "e/summary.json").read_text())


def blessing(out: Path) -> list[dict[str, Any]]:
    return json.loads((out / "b/blessing.json").read_text())["requirements"]


# ---------------------------------------------------------------- the same as TFMA
TASKS = {
    "binary": ("late", ["x", "one"], [1.0, -1.0], "sigmoid", 0),
    "regression": ("delay", ["x", "one"], [10.0, -9.0], "identity", 0),
    "multiclass": ("grade", ["x", "one"], [[-1.0, 0.2, 1.0], [0.3, 0.4, 0.1]], "softmax", 3),
}


@pytest.mark.filterwarnings("ignore")  # TFMA's own and Beam's
@pytest.mark.parametrize("task", TASKS)
def test_values_equal_those_of_tfma_run_through_beam(task: str, world: World) -> None:
    label, features, weights, link, classes = TASKS[task]
    model = write_model(world.folder / task, features, weights, link)
    examples = write_examples(world.folder / f"small-{task}", eval=flights(300, 3))
    metrics = [m for m in of_task(task) if METRICS[m].tfma]
    text = f"label: {label}\ntask: {task}\nmetrics: [{', '.join(metrics)}]\nslices: [[origin], [carrier, origin]]\n"
    text += "min_examples: 1\nrequirements: [{metric: example_count, at_least: 1}]\n"
    _, out = world.run(text, model, examples=examples)

    theirs = str(out / "tfma")
    config = eval_config(parse(text), classes, baseline=False)
    tfma.run_model_analysis(
        eval_config=config,
        eval_shared_model=tfma.default_eval_shared_model(str(model / "Format-Serving"), eval_config=config),
        data_location=str(examples / "Split-eval/*"),
        output_path=theirs,
    )
    expected = dict(tfma.load_eval_result(theirs).slicing_metrics)
    found = dict(tfma.load_eval_result(str(out / "e")).slicing_metrics)

    assert found.keys() == expected.keys() and len(found) > 10
    for key, values in expected.items():
        ours = found[key][""][""]
        for name, value in values[""][""].items():
            mine, its = _number(ours[name]), _number(value)
            assert mine == pytest.approx(its, rel=2e-5, abs=1e-6, nan_ok=True), (key, name)


def _number(value: dict[str, Any]) -> float:
    if "boundedValue" in value:
        return float(value["boundedValue"]["value"])
    return float(value["doubleValue"])


def test_tfma_reads_the_output_with_plots_intervals_and_the_change_against_the_baseline(world: World) -> None:
    _, out = world.run(requirement("{metric: auc, at_least: 0.5}"), baseline=world.worse)

    result = tfma.load_eval_result(str(out / "e"), model_name="candidate")
    ((key, values),) = result.slicing_metrics
    auc, change = values[""][""]["auc"]["boundedValue"], values[""][""]["auc_diff"]["boundedValue"]
    assert key == () and auc["lowerBound"] < auc["value"] < auc["upperBound"]
    assert change["lowerBound"] > 0
    assert {p for _, plots in result.plots for p in plots[""][""]} >= {"calibrationHistogramBuckets"}
    assert tfma.load_validation_result(str(out / "e")).validation_ok
    assert [m.name for m in result.config.model_specs] == ["candidate", "baseline"]


# ---------------------------------------------------------------- verdicts
def test_a_good_model_is_blessed_and_the_blessing_says_why(world: World) -> None:
    done, out = world.run(requirement("{metric: auc, at_least: 0.7}"))

    assert done.blessed and (out / "b/BLESSED").exists() and not (out / "b/NOT_BLESSED").exists()
    (one,) = blessing(out)
    assert one["verdict"] == "holds" and one["low"] >= 0.7 and one["low"] < one["value"] < one["high"]
    assert "at least 0.7" in one["reason"]


def test_a_bad_model_is_not_blessed(world: World) -> None:
    done, out = world.run(requirement("{metric: auc, at_least: 0.7}"), world.noise)

    assert not done.blessed and (out / "b/NOT_BLESSED").exists() and not (out / "b/BLESSED").exists()
    assert blessing(out)[0]["verdict"] == "fails"


@pytest.mark.parametrize(("policy", "blessed"), [("", False), ("undecided: bless", True), ("undecided: block", False)])
def test_noise_leaves_a_requirement_undecided_and_the_policy_decides(policy: str, blessed: bool, world: World) -> None:
    first, _ = world.run(requirement("{metric: auc, at_least: 0.5}"))
    at_the_value = f"{{metric: auc, at_least: {first.metrics['auc']:.4f}}}"

    done, _ = world.run(requirement(at_the_value, HEAD + policy + "\n"))

    assert done.verdicts[0].verdict == "undecided" and done.blessed is blessed


def test_a_change_is_judged_paired_against_the_baseline_and_the_reference(world: World) -> None:
    head = HEAD + "references: {rates: {rates_by: [carrier, origin]}}\n"
    text = requirement("{metric: auc, against: baseline, change_at_least: 0.02}", head)
    text += "  - {metric: auc, against: rates, change_at_least: 0.1}\n"

    done, out = world.run(text, baseline=world.worse)
    back, _ = world.run(text, world.worse, baseline=world.good)

    assert [v.verdict for v in done.verdicts] == ["holds", "holds"]
    assert back.verdicts[0].verdict == "fails" and back.verdicts[0].value == pytest.approx(-done.verdicts[0].value)
    models = {m["model"]: m for m in summary(out)["metrics"] if m["name"] == "auc"}
    separate = (models["candidate"]["high"] - models["candidate"]["low"]) + (
        models["baseline"]["high"] - models["baseline"]["low"]
    )
    assert done.verdicts[0].high - done.verdicts[0].low < separate / 1.5


def test_the_same_model_as_baseline_has_changed_by_nothing(world: World) -> None:
    done, _ = world.run(requirement("{metric: recall, against: baseline, change_at_least: 0}"), baseline=world.good)

    assert (done.verdicts[0].low, done.verdicts[0].high, done.verdicts[0].verdict) == (0.0, 0.0, "holds")


def test_without_a_baseline_the_first_model_can_be_blessed(world: World, tmp_path: Path) -> None:
    text = requirement("{metric: auc, against: baseline, change_at_least: 0}")

    done, _ = world.run(text, baseline=tmp_path)

    assert done.blessed and "no blessed model yet" in done.verdicts[0].reason


def test_every_value_of_a_feature_is_judged_by_a_star_and_small_slices_are_named(world: World) -> None:
    head = HEAD + "min_examples: 600\nslices: [[carrier]]\n"
    text = requirement('{metric: auc, slice: {origin: "*"}, at_least: 0.6}', head)
    text += "  - {metric: auc, slice: {carrier: UA}, at_least: 0.6, undecided: bless}\n"
    text += "  - {metric: auc, slice: {carrier: XX}, at_least: 0.6, undecided: bless}\n"

    done, out = world.run(text)

    assert [v.slice for v in done.verdicts][:3] == ["origin=EWR", "origin=JFK", "origin=LGA"]
    assert {v.verdict for v in done.verdicts[:3]} == {"holds"} and done.blessed
    assert "min_examples is 600" in done.verdicts[3].reason and "no example" in done.verdicts[4].reason
    assert "carrier=UA" in summary(out)["small_slices"]


def test_the_gap_between_slices_and_the_latency_can_be_required(world: World) -> None:
    text = requirement("{metric: recall, gap_over: origin, at_most: 0.001}")
    text += "  - {metric: prediction_latency_p99_ms, at_most: 60000}\n"

    done, out = world.run(text)

    (gap,) = [f for f in summary(out)["fairness"] if f["metric"] == "recall"]
    assert gap["low"] <= gap["gap"] <= gap["high"] and gap["feature"] == "origin"
    assert done.verdicts[0].verdict != "holds" and done.verdicts[1].verdict == "holds"
    assert 0 < summary(out)["latency"]["p50_ms"] <= summary(out)["latency"]["p99_ms"]


def test_the_summary_has_curves_calibration_and_thresholds(world: World) -> None:
    head = HEAD + "thresholds: [{objective: f1}, {objective: recall, precision_at_least: 0.5}]\n"

    _, out = world.run(requirement("{metric: expected_calibration_error, at_most: 0.1}", head))

    found = summary(out)
    assert sum(b["count"] for b in found["calibration"]) == found["examples"] == ROWS
    assert found["roc"][0] == {"fpr": 0, "tpr": 0} and found["roc"][-1] == {"fpr": 1, "tpr": 1}
    assert found["thresholds"][1]["precision"] >= 0.5
    assert found["thresholds"][0]["f1"] >= found["thresholds"][1]["f1"]


def test_two_runs_with_the_same_seed_agree_but_for_the_latency(world: World) -> None:
    text = requirement("{metric: auc_precision_recall, at_least: 0.3}", HEAD + "slices: [[origin]]\n")

    (_, one), (_, other) = world.run(text), world.run(text)

    first, second = summary(one), summary(other)
    assert first.pop("latency") and second.pop("latency") and first == second
    for name in ("metrics-00000-of-00001.tfrecord", "plots-00000-of-00001.tfrecord"):
        assert (one / "e" / name).read_bytes() == (other / "e" / name).read_bytes()


def test_text_labels_are_classes(world: World, tmp_path: Path) -> None:
    rows = flights(ROWS, 4)
    rows["late"] = np.where(rows["late"] == 1, "yes", "no").tolist()
    examples = write_examples(tmp_path, eval=rows)

    done, _ = world.run(
        requirement("{metric: auc, at_least: 0.7}", HEAD + "classes: ['no', 'yes']\n"), examples=examples
    )

    assert done.blessed


# ---------------------------------------------------------------- what the user can mend
def changed(world: World, folder: Path, **columns: Any) -> Path:
    return write_examples(folder, eval=flights(100, 5) | columns)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"late": [0] * 100}, "all 100 labels 'late' of split eval are 0"),
        ({"late": [None] * 100}, "no example has the feature 'late'"),
        ({"late": [None] * 3 + [0, 1] * 48 + [1]}, "3 of 100 examples of split eval have no label"),
        ({"late": [0, 2] * 50}, "task binary needs labels 0 and 1"),
        ({"late": ["a", "b"] * 50}, "classes"),
        ({"x": np.array([np.nan] + [1.0] * 99, np.float32)}, "NaN or infinite for 1 of 100 examples"),
    ],
)
def test_unusable_labels_and_predictions_are_told(columns: Any, says: str, world: World, tmp_path: Path) -> None:
    with pytest.raises(ComponentError) as error:
        world.run(requirement("{metric: auc, at_least: 0.7}"), examples=changed(world, tmp_path, **columns))
    assert says in str(error.value)


def test_an_empty_or_a_missing_split_is_told(world: World, tmp_path: Path) -> None:
    text = requirement("{metric: auc, at_least: 0.7}")
    empty = write_examples(tmp_path, eval={"x": []})

    with pytest.raises(ComponentError, match="empty: nothing to evaluate on"):
        world.run(text, examples=empty)
    with pytest.raises(ComponentError, match="no examples of split 'test'; its splits: eval"):
        world.run(text, examples=empty, splits=["test"])


def test_a_damaged_file_is_told(world: World, tmp_path: Path) -> None:
    examples = changed(world, tmp_path)
    (file,) = examples.rglob("data*")
    file.write_bytes(file.read_bytes()[:-200])

    with pytest.raises(ComponentError, match="damaged or cut short"):
        world.run(requirement("{metric: auc, at_least: 0.7}"), examples=examples)


def test_logits_are_told_from_probabilities(world: World) -> None:
    logits = write_model(world.folder / "logits", ["x"], [1.0], "identity")

    with pytest.raises(ComponentError, match="look like logits"):
        world.run(requirement("{metric: auc, at_least: 0.7}"), logits)


def test_an_unknown_slice_feature_is_told_with_its_line_and_the_near_ones(world: World) -> None:
    text = requirement("{metric: auc, at_least: 0.7}", HEAD + "slices:\n  - [origin]\n  - [carier]\n")

    with pytest.raises(ComponentError, match=r"line 5: no example has the feature 'carier'; did you mean 'carrier'\?"):
        world.run(text)


def test_a_slice_on_a_real_number_is_refused(world: World, tmp_path: Path) -> None:
    examples = write_examples(tmp_path, eval=flights(2500, 6))

    with pytest.raises(ComponentError, match="has 2500 different values"):
        world.run(requirement("{metric: auc, at_least: 0.7}", HEAD + "slices: [[x]]\n"), examples=examples)


# ---------------------------------------------------------------- as a KFP component
def test_kfp_runs_the_component(world: World, tmp_path: Path) -> None:
    def artifact(path: Path, title: str) -> dict[str, Any]:
        return {"artifacts": [{"name": path.name, "uri": str(path), "type": {"schemaTitle": f"system.{title}"}}]}

    outputs = {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing", "metrics": "Metrics"}
    given = {
        "inputs": {
            "parameterValues": {"requirements": requirement("{metric: auc, at_least: 0.7}")},
            "artifacts": {"examples": artifact(world.examples, "Examples"), "model": artifact(world.good, "Model")},
        },
        "outputs": {
            "outputFile": str(tmp_path / "out.json"),
            "parameters": {"blessed": {"outputFile": str(tmp_path / "blessed")}},
            "artifacts": {name: artifact(tmp_path / name, title) for name, title in outputs.items()},
        },
    }

    Executor(executor_input=given, function_to_execute=evaluator.python_func).execute()

    done = json.loads((tmp_path / "out.json").read_text())
    assert done["parameterValues"] == {"blessed": True}
    told = {n: a["artifacts"][0]["metadata"] for n, a in done["artifacts"].items()}
    verdict = "BLESSED: 1 of 1 requirements hold"
    assert told["blessing"] == {"blessed": True, "requirements": "1 of 1 hold", "verdict": verdict}
    assert told["metrics"]["auc"] > 0.7 and told["evaluation"]["examples"] == ROWS
    assert (tmp_path / "blessing/BLESSED").exists()

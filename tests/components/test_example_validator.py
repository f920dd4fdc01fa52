"""example_validator: what is found, what of it stops the pipeline, and that the error says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_fixtures import Data, trips
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from tensorflow_metadata.proto.v0 import anomalies_pb2

from tidegate.components.errors import ComponentError
from tidegate.components.example_validator import data_checks
from tidegate.components.example_validator.label_errors import label_errors
from tidegate.components.example_validator.one_feature import auc, predictive_power
from tidegate.components.example_validator.policy import Anomaly, blocks, check_blocks
from tidegate.components.example_validator.work import Judgement, refuse, validate_examples
from tidegate.components.schema_gen.files import read_schema, write_schema
from tidegate.components.tfrecord import write_examples

QUIET = {"label_errors": False, "leakage": False}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return Data(tmp_path_factory.mktemp("good"), train=trips(2000), eval=trips(500, seed=1))


def _judged(folder: Path, good: Data, train: pa.RecordBatch, **asked: Any) -> Judgement:
    """New data against the good data's schema; `examples=True` hands over the rows as well."""
    new = Data(folder / "new", train=train, eval=trips(500, seed=1))
    if asked.pop("examples", False):
        asked["examples"] = new.examples
    return validate_examples(new.statistics, good.schema, folder / "anomalies", **asked)


def _kinds(judged: Judgement) -> set[tuple[str, str, str]]:
    return {(one.split, one.feature, one.kind) for one in judged.anomalies}


def test_data_that_fits_its_schema_passes_the_strictest_policy(good: Data, tmp_path: Path) -> None:
    judged = _judged(tmp_path, good, trips(2000), policy="strict", examples=True, label="late")
    refuse(judged)
    assert not judged.anomalies
    ran = ("duplicates", "shared_rows", "outliers", "label", "leakage", "label_errors")
    assert {c.name: c.verdict for c in judged.checks} == dict.fromkeys(ran, "ok")


@pytest.mark.parametrize(
    ("replaced", "feature", "kind"),
    [
        ({"hour": None}, "hour", "SCHEMA_MISSING_COLUMN"),
        ({"extra": [1] * 2000}, "extra", "SCHEMA_NEW_COLUMN"),
        ({"gate": ["A", "Z"] * 1000}, "gate", "ENUM_TYPE_UNEXPECTED_STRING_VALUES"),
        ({"hour": ["five"] * 2000}, "hour", "UNEXPECTED_DATA_TYPE"),
        ({"wind": pa.array([None, 1.0] * 1000)}, "wind", "FEATURE_TYPE_LOW_FRACTION_PRESENT"),
    ],
)
def test_an_anomaly_is_found_and_written_for_people_and_for_tfx(
    good: Data, tmp_path: Path, replaced: dict[str, Any], feature: str, kind: str
) -> None:
    judged = _judged(tmp_path, good, trips(2000, **replaced))
    assert ("train", feature, kind) in _kinds(judged)
    assert not [one for one in judged.anomalies if one.split == "eval"]
    proto = anomalies_pb2.Anomalies.FromString((tmp_path / "anomalies/Split-train/SchemaDiff.pb").read_bytes())
    assert feature in proto.anomaly_info
    summary = json.loads((tmp_path / "anomalies/summary.json").read_text())
    assert ("train", feature, kind) in {(a["split"], a["feature"], a["kind"]) for a in summary["anomalies"]}


def test_a_refusal_lists_what_and_why_and_what_to_do(good: Data, tmp_path: Path) -> None:
    judged = _judged(tmp_path, good, trips(2000, hour=None, gate=["Z"] * 2000))
    with pytest.raises(ComponentError) as refused:
        refuse(judged)
    said = str(refused.value)
    assert "refused by policy 'errors', for 2 reasons" in said
    assert "train: hour: Column dropped" in said and "SCHEMA_MISSING_COLUMN" in said
    assert "train: gate: Unexpected string values" in said and "Mend the data, or the schema" in said
    assert json.loads((tmp_path / "anomalies/summary.json").read_text())["blocked"] is True


def _anomaly(kind: str, severity: str = "ERROR", drift: bool = False) -> Anomaly:
    return Anomaly("train", "x", kind, "", "", severity, drift)


@pytest.mark.parametrize(
    ("anomaly", "blocking"),
    [
        (_anomaly("SCHEMA_MISSING_COLUMN"), {"strict", "errors", "structure"}),
        (_anomaly("INT_TYPE_INT_EXPECTED"), {"strict", "errors", "structure"}),
        (_anomaly("ENUM_TYPE_UNEXPECTED_STRING_VALUES"), {"strict", "errors"}),
        (_anomaly("FLOAT_TYPE_BIG_FLOAT"), {"strict", "errors"}),
        (_anomaly("DATASET_LOW_NUM_EXAMPLES"), {"strict", "errors"}),
        (_anomaly("COMPARATOR_L_INFTY_HIGH"), {"strict", "errors"}),
        (_anomaly("COMPARATOR_L_INFTY_HIGH", drift=True), {"strict"}),
        (_anomaly("SCHEMA_NEW_COLUMN", "WARNING"), {"strict"}),
    ],
)
def test_each_policy_stops_for_its_kinds_of_anomalies(anomaly: Anomaly, blocking: set[str]) -> None:
    assert {
        policy for policy in ("strict", "errors", "structure", "warn", "off") if blocks(policy, anomaly)
    } == blocking


def test_every_kind_that_the_policies_name_is_one_of_tfdvs() -> None:
    from tidegate.components.example_validator import policy

    kinds = anomalies_pb2.AnomalyInfo.Type.keys()
    assert set(kinds) >= policy._VALUES
    assert all(any(kind.startswith(prefix) for kind in kinds) for prefix in policy._ABOUT_VALUES)


def test_a_failed_check_stops_under_errors_and_a_warning_only_under_strict() -> None:
    cases = {(policy, verdict) for policy in ("strict", "errors", "structure") for verdict in ("ok", "warn", "fail")}
    assert {c for c in cases if check_blocks(*c)} == {("strict", "warn"), ("strict", "fail"), ("errors", "fail")}


def test_drift_and_skew_are_measured_against_default_bounds(good: Data, tmp_path: Path) -> None:
    shifted = trips(2000, wind=np.random.default_rng(5).gamma(2.0, 50.0, 2000), gate=["A"] * 2000)
    asked = {"previous_statistics": good.statistics, "serving_statistics": good.statistics}
    judged = _judged(tmp_path, good, shifted, **asked)
    far = {(d.feature, d.measure, d.against) for d in judged.distances if d.value > d.bound and d.split == "train"}
    assert far == {
        (feature, measure, against)
        for feature, measure in (("wind", "jensen_shannon"), ("gate", "l_infinity"))
        for against in ("previous", "serving")
    } | {d for d in far if d[0] == "id"}
    drifted = {one.feature for one in judged.anomalies if one.drift}
    assert {"wind", "gate"} <= drifted
    assert not any("previous" in line for line in judged.blocking) and any(
        "serving" in line for line in judged.blocking
    )


def test_bounds_in_the_schema_win_over_the_defaults(good: Data, tmp_path: Path) -> None:
    schema = read_schema(good.schema)
    gate = next(f for f in schema.feature if f.name == "gate")
    gate.drift_comparator.infinity_norm.threshold = 0.9
    write_schema(tmp_path / "schema", schema)
    new = Data(tmp_path / "new", train=trips(2000, gate=["A"] * 2000))
    judged = validate_examples(
        new.statistics,
        tmp_path / "schema",
        tmp_path / "anomalies",
        previous_statistics=good.statistics,
        checks={"drift": {"l_infinity": 0.01, "jensen_shannon": 1.0}},
    )
    bounds = {d.feature: d.bound for d in judged.distances}
    assert bounds["gate"] == 0.9 and bounds["note"] == 0.01 and bounds["wind"] == 1.0
    assert "gate" not in {one.feature for one in judged.anomalies}


def test_an_environment_of_the_schema_lets_the_label_be_missing(good: Data, tmp_path: Path) -> None:
    schema = read_schema(good.schema)
    schema.default_environment.extend(["TRAINING", "SERVING"])
    next(f for f in schema.feature if f.name == "late").not_in_environment.append("SERVING")
    write_schema(tmp_path / "schema", schema)
    served = Data(tmp_path / "new", train=trips(2000, late=None))
    for environment, features in (("SERVING", set()), ("TRAINING", {"late"})):
        judged = validate_examples(
            served.statistics, tmp_path / "schema", tmp_path / environment, environment=environment
        )
        assert {one.feature for one in judged.anomalies} == features
    with pytest.raises(ComponentError, match="environment 'TEST' is not in the schema; it has: SERVING, TRAINING"):
        validate_examples(served.statistics, tmp_path / "schema", tmp_path / "x", environment="TEST")


def _checked(judged: Judgement, name: str) -> data_checks.Check:
    return next(check for check in judged.checks if check.name == name)


def test_rows_are_checked_for_equal_labels(good: Data, tmp_path: Path) -> None:
    judged = _judged(tmp_path, good, trips(2000, late=[1] * 2000), examples=True, label="late")
    assert "all labels are equal: 'late' is 1" in _checked(judged, "label").detail
    with pytest.raises(ComponentError, match="check label: all labels are equal"):
        refuse(judged)


def test_rows_are_checked_for_leakage_duplicates_and_rows_of_other_splits(good: Data, tmp_path: Path) -> None:
    batch = trips(1000)
    leaky = batch.to_pandas().assign(delay=lambda frame: frame.late * 60 + frame.hour / 100)
    batch = pa.RecordBatch.from_pandas(leaky, preserve_index=False)
    write_examples(tmp_path / "rows", "train", [batch, batch.slice(0, 100)])
    write_examples(tmp_path / "rows", "eval", [batch.slice(0, 50), trips(50, seed=3)])
    from tidegate.components.example_validator.checking import run_checks, settings
    from tidegate.components.statistics_gen.files import read_statistics
    from tidegate.components.statistics_gen.work import generate_statistics

    generate_statistics(tmp_path / "rows", tmp_path / "statistics")
    checks = run_checks(
        tmp_path / "rows", read_statistics(tmp_path / "statistics"), settings(QUIET | {"leakage": True}), "late"
    )
    found = {check.name: check for check in checks}
    assert found["duplicates"].value == pytest.approx(100 / 1100) and found["duplicates"].verdict == "warn"
    assert found["shared_rows"].value == 0.5 and found["shared_rows"].verdict == "warn"
    assert found["leakage"].verdict == "fail" and found["leakage"].detail.startswith("delay alone gives the label")
    assert "label_errors" not in found


@pytest.mark.parametrize(
    ("low", "verdict", "share"), [("2013-07-01", "ok", 0.0), ("2013-05-01", "fail", 1.0), ("2013-06-15", "fail", None)]
)
def test_eval_must_begin_where_train_ends(tmp_path: Path, low: str, verdict: str, share: float | None) -> None:
    def days(first: str, count: int) -> pa.Array:
        return pa.array((np.datetime64(first) + np.arange(count)).astype(str).tolist())

    new = Data(tmp_path, train=trips(181, day=days("2013-01-01", 181)), eval=trips(30, seed=1, day=days(low, 30)))
    judged = validate_examples(
        new.statistics,
        new.schema,
        tmp_path / "anomalies",
        new.examples,
        checks=QUIET | {"time_split": {"column": "day"}},
    )
    check = _checked(judged, "time_split")
    assert check.verdict == verdict and "train ends at 2013-06-30" in check.detail
    assert share is None or check.value == share


def test_outliers_are_counted_by_a_robust_score() -> None:
    normal = np.random.default_rng(0).normal(size=1000)
    spoiled = np.concatenate([normal[:900], np.full(100, 1e6)])
    check = data_checks.outliers({"x": pa.array(normal), "y": pa.array(spoiled), "flag": pa.array([0] * 999 + [1])})
    assert (check.verdict, check.value) == ("warn", 0.1) and "y 10.00%" in check.detail and "x " not in check.detail


def test_labels_that_the_features_contradict_are_found() -> None:
    batch = trips(3000)
    hour = batch.column("hour").to_numpy()
    clean, wrong = (hour > 11).astype(int), np.random.default_rng(1).random(3000) < 0.15
    columns = {name: batch.column(name) for name in ("hour", "wind", "gate", "note")}
    spoiled = label_errors(columns | {"late": pa.array(np.where(wrong, 1 - clean, clean))}, "late", bound=0.1)
    assert spoiled.verdict == "warn" and spoiled.value == pytest.approx(0.15, abs=0.02)
    assert label_errors(columns | {"late": pa.array(clean)}, "late").value == 0.0
    assert "not looked for" in label_errors(columns | {"late": pa.array(np.arange(3000))}, "late").detail


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2).filter(lambda r: len({t for _, t in r}) == 2))
def test_the_auc_is_that_of_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    scores, truth = np.array([s for s, _ in rows], float), np.array([t for _, t in rows])
    assert auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))


def test_one_feature_predicts_as_well_as_it_can() -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 4000)
    noise = pa.array(generator.normal(size=4000))
    grade = pa.array(np.digitize(generator.normal(size=4000), [-1, 0, 1]).astype(str))
    quantity = generator.normal(size=4000)
    assert predictive_power(pa.array(label + 0.001 * generator.normal(size=4000)), pa.array(label)) > 0.99
    assert predictive_power(noise, pa.array(label)) < 0.1
    assert predictive_power(pa.array([f"row {n}" for n in range(4000)]), pa.array(label)) < 0.1
    assert predictive_power(grade, grade) == 1.0
    assert predictive_power(noise, grade) < 0.1
    assert predictive_power(pa.array(quantity), pa.array(quantity * 2 + 1)) > 0.9
    assert predictive_power(noise, pa.array(quantity)) < 0.1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"policy": "lax"}, "policy is 'lax'; expected one of strict, errors, structure, warn, off"),
        ({"checks": {"dupes": {}}}, "unknown check 'dupes'; there are: rows, drift, skew, duplicates"),
        ({"checks": {"outliers": {"limit": 1}}}, "outliers has no setting 'limit'; it has: bound, verdict, z"),
        ({"checks": {"outliers": {"verdict": "stop"}}}, "verdict is 'stop'; expected warn or fail"),
        ({"checks": {"outliers": 3}}, "outliers is 3; expected its settings"),
        ({"checks": {"rows": 0}}, "rows is 0"),
        ({"checks": {"drift": {"l2": 1}}}, "bound l2"),
    ],
)
def test_settings_that_do_not_exist_are_answered_with_those_that_do(
    good: Data, tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(ComponentError, match=said):
        validate_examples(good.statistics, good.schema, tmp_path, **asked)


def test_policy_off_looks_at_nothing(good: Data, tmp_path: Path) -> None:
    judged = _judged(tmp_path, good, trips(2000, hour=None), policy="off", examples=True)
    assert not judged.anomalies and not judged.checks
    assert json.loads((tmp_path / "anomalies/summary.json").read_text())["policy"] == "off"

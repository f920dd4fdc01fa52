"""statistics_gen: TFDV's numbers, without Beam on one machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_fixtures import trips
from tensorflow_metadata.proto.v0 import statistics_pb2

from tidegate.components.errors import ComponentError
from tidegate.components.schema_gen.files import write_schema
from tidegate.components.schema_gen.work import infer_schema
from tidegate.components.statistics_gen import compute
from tidegate.components.statistics_gen.files import read_statistics
from tidegate.components.statistics_gen.work import generate_statistics
from tidegate.components.tfrecord import split_paths, write_examples


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    write_examples(folder, "train", [trips(5000)])
    write_examples(folder, "eval", [trips(500, seed=1, gate=None)])
    return folder


def _summary(statistics: Path, split: str) -> dict[str, dict[str, Any]]:
    text = (statistics / f"Split-{split}" / "summary.json").read_text()
    return {feature["name"]: feature for feature in json.loads(text)["features"]}


def test_the_numbers_are_those_of_the_rows(examples: Path, tmp_path: Path) -> None:
    assert generate_statistics(examples, tmp_path) == {"eval": 500, "train": 5000}
    batch, found = trips(5000), _summary(tmp_path, "train")
    wind, note = batch.column("wind").to_numpy().astype(np.float32), batch.column("note")
    assert found["wind"]["mean"] == pytest.approx(wind.mean(), rel=1e-5)
    assert found["wind"]["std"] == pytest.approx(wind.std(), rel=1e-5)
    assert found["wind"]["max"] == pytest.approx(wind.max())
    assert found["wind"]["median"] == pytest.approx(np.median(wind), rel=0.05)
    assert sum(b["count"] for b in found["wind"]["histogram"]) == pytest.approx(5000, abs=1)
    assert found["hour"]["zeros"] == int((batch.column("hour").to_numpy() == 0).sum())
    assert found["note"]["missing"] == note.null_count
    assert found["note"]["presence"] == pytest.approx(1 - note.null_count / 5000)
    counts = {c["values"]: c["counts"] for c in note.drop_null().value_counts().to_pylist()}
    assert {t["value"]: t["count"] for t in found["note"]["top"]} == counts
    assert found["note"]["unique"] == 7
    assert (found["hour"]["type"], found["wind"]["type"], found["gate"]["type"]) == ("INT", "FLOAT", "STRING")
    assert "gate" not in _summary(tmp_path, "eval")


def test_batches_do_not_change_the_result(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = split_paths(examples, "train")
    whole = compute.in_memory(paths)
    monkeypatch.setattr(compute, "_DECODED", 100)
    monkeypatch.setattr(compute, "_COUNTED", 3)
    parts = compute.in_memory(paths)
    for one, other in zip(_by_name(whole), _by_name(parts), strict=True):
        assert one.num_stats.mean == pytest.approx(other.num_stats.mean)
        assert one.num_stats.std_dev == pytest.approx(other.num_stats.std_dev)
        assert one.string_stats.rank_histogram == other.string_stats.rank_histogram


def _by_name(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> list[statistics_pb2.FeatureNameStatistics]:
    return sorted(statistics.datasets[0].features, key=lambda feature: feature.path.step[0])


@pytest.mark.filterwarnings("ignore")
def test_beam_finds_the_same(examples: Path, tmp_path: Path) -> None:
    """On the pipeline arguments that a user would give."""
    paths = split_paths(examples, "train")
    ours, beams = _by_name(compute.in_memory(paths)), _by_name(compute.with_beam(paths, ["--runner=DirectRunner"]))
    for one, other in zip(ours, beams, strict=True):
        assert (one.path, one.type, one.WhichOneof("stats")) == (other.path, other.type, other.WhichOneof("stats"))
        assert one.num_stats.common_stats.num_non_missing == other.num_stats.common_stats.num_non_missing
        assert one.string_stats.common_stats.num_missing == other.string_stats.common_stats.num_missing
        for field in ("mean", "std_dev", "min", "max", "num_zeros"):
            assert getattr(one.num_stats, field) == pytest.approx(getattr(other.num_stats, field))
        assert one.string_stats.unique == other.string_stats.unique
        assert one.string_stats.rank_histogram == other.string_stats.rank_histogram


def test_a_sample_is_of_its_size_and_always_the_same_rows(examples: Path, tmp_path: Path) -> None:
    rows = [generate_statistics(examples, tmp_path / str(run), sample_rate=0.2) for run in (1, 2)]
    assert rows[0] == rows[1]
    assert rows[0]["train"] == pytest.approx(1000, rel=0.15)
    files = [(tmp_path / str(run) / "Split-train/FeatureStats.pb").read_bytes() for run in (1, 2)]
    assert files[0] == files[1]


def test_the_schema_says_which_numbers_are_categories(examples: Path, tmp_path: Path) -> None:
    generate_statistics(examples, tmp_path / "statistics")
    schema = infer_schema(tmp_path / "statistics", tmp_path / "inferred")
    next(f for f in schema.feature if f.name == "hour").int_domain.is_categorical = True
    write_schema(tmp_path / "schema", schema)
    generate_statistics(examples, tmp_path / "known", schema=tmp_path / "schema")
    hour = _summary(tmp_path / "known", "train")["hour"]
    assert hour["type"] == "INT" and hour["unique"] == 24


def test_values_that_json_has_not_are_null(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_pydict({"x": [float("nan"), float("inf"), 1.0], "y": [None, float("nan"), None]})
    write_examples(tmp_path / "examples", "train", [batch])
    generate_statistics(tmp_path / "examples", tmp_path / "statistics")
    found = _summary(tmp_path / "statistics", "train")
    assert found["x"]["max"] is None and found["y"]["missing"] == 2


def test_input_that_cannot_be_counted_is_told(examples: Path, tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="sample_rate is 0"):
        generate_statistics(examples, tmp_path, sample_rate=0)
    with pytest.raises(ComponentError, match="holds no Examples"):
        generate_statistics(tmp_path, tmp_path / "out")
    with pytest.raises(ComponentError, match=r"no rows in .* at sample_rate"):
        generate_statistics(examples, tmp_path, sample_rate=1e-9)
    (tmp_path / "Split-train").mkdir(exist_ok=True)
    (tmp_path / "Split-train/FeatureStats.pb").write_bytes(b"\xff\xff")
    with pytest.raises(ComponentError, match="is damaged"):
        read_statistics(tmp_path)

"""transform: in memory as Beam does it, the same bytes each time, and only what is new analysed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tidegate.components.errors import ComponentError
from tidegate.components.schema_gen.files import write_schema
from tidegate.components.tfrecord import read_examples, split_paths, write_examples
from tidegate.components.transform import in_memory
from tidegate.components.transform.job import Transformed
from tidegate.components.transform.work import transform

MODULES = Path(__file__).parent / "modules"
ROWS = 3000
CONFIG = {"buckets": 4}


def one_feature(name: str, kind: str, many: bool = False) -> str:
    presence = "" if many else "presence { min_fraction: 1 min_count: 1 } shape { dim { size: 1 } }"
    return f'feature {{ name: "{name}" type: {kind} {presence} }}\n'


SCHEMA = "".join(one_feature(name, "FLOAT") for name in ("x", "y"))
SCHEMA += "".join(one_feature(name, "INT") for name in ("label", "number"))
SCHEMA += "".join(one_feature(name, "BYTES") for name in ("word", "key")) + one_feature("tags", "BYTES", many=True)


def rows(count: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    word = rng.choice(list("abcdefgh"), count, p=[0.3, 0.2, 0.2, 0.1, 0.08, 0.06, 0.04, 0.02])
    return pa.table(
        {
            "x": rng.normal(3, 2, count).astype("f4"),
            "y": rng.exponential(1, count).astype("f4"),
            "label": ((word < "c") ^ (rng.random(count) < 0.2)).astype("i8"),
            "word": word,
            "key": rng.choice(["north", "south"], count),
            "number": rng.integers(0, 6, count),
            "tags": [list(rng.choice(list("pqr"), rng.integers(0, 3))) for _ in range(count)],
        }
    )


def spans(folder: Path, *numbers: int) -> Path:
    for n in numbers:
        write_examples(folder, "train", [rows(ROWS // 2, n)], f"data_tfrecord-span-{n:05d}")
    write_examples(folder, "eval", [rows(200, 99)])
    return folder


def schema_of(folder: Path, text: str = SCHEMA) -> Path:
    write_schema(folder, text_format.Parse(text, schema_pb2.Schema()))
    return folder


def run(examples: Path, out: Path, module: dict[str, str], **given: Any) -> Transformed:
    return transform(
        examples,
        given.pop("schema", None) or schema_of(out / "schema"),
        module,
        out / "graph",
        out / "examples",
        out / "statistics",
        out / "cache",
        **given,
    )


def decoded(out: Path, split: str) -> pa.Table:
    return pa.Table.from_batches(list(read_examples(split_paths(out / "examples", split))))


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def module(source: str) -> dict[str, str]:
    return {"my_module.py": "import tensorflow as tf\nimport tensorflow_transform as tft\n" + source}


@pytest.fixture(scope="module")
def many() -> dict[str, str]:
    return {"many_analyzers.py": (MODULES / "many_analyzers.py").read_text()}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spans(tmp_path_factory.mktemp("examples"), 1, 2)


@pytest.fixture(scope="module")
def ours(examples: Path, many: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Transformed]:
    out = tmp_path_factory.mktemp("ours")
    return out, run(examples, out, many, custom_config=CONFIG)


@pytest.fixture(scope="module")
def beams(examples: Path, many: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("beams")
    done = run(examples, out, many, custom_config=CONFIG, beam_pipeline_args=["--runner=DirectRunner"])
    assert done.runner == "beam"
    return out


def test_every_feature_equals_beams(ours: tuple[Path, Transformed], beams: Path) -> None:
    out, done = ours
    assert done.runner == "in memory"
    assert done.rows == {"eval": 200, "train": ROWS}
    mine, theirs = decoded(out, "eval").to_pydict(), decoded(beams, "eval").to_pydict()
    assert set(mine) == set(theirs)
    assert len(mine) == done.features
    order = sorted(range(200), key=lambda i: (theirs["z_score"][i], theirs["unit"][i]))  # Beam's rows come in any order
    mine_order = sorted(range(200), key=lambda i: (mine["z_score"][i], mine["unit"][i]))
    for name in mine:
        for i, j in zip(mine_order, order, strict=True):
            np.testing.assert_allclose(
                np.asarray(mine[name][i] or []), np.asarray(theirs[name][j] or []), rtol=2e-5, atol=2e-5, err_msg=name
            )


def test_vocabularies_and_schema_are_beams(ours: tuple[Path, Transformed], beams: Path) -> None:
    out, _ = ours
    mine, theirs = tft.TFTransformOutput(str(out / "graph")), tft.TFTransformOutput(str(beams / "graph"))
    assert str(mine.transformed_metadata.schema) == str(theirs.transformed_metadata.schema)
    assert str(mine.raw_metadata.schema) == str(theirs.raw_metadata.schema)
    names = {p.name for p in (beams / "graph/transform_fn/assets").iterdir()}
    assert {p.name for p in (out / "graph/transform_fn/assets").iterdir()} == names
    for name in names - {n for n in names if n.endswith(".gz")}:
        found, expected = (
            [line.split(" ") for line in (f / "graph/transform_fn/assets" / name).read_text().splitlines()]
            for f in (out, beams)
        )
        assert [line[-1] for line in found] == [line[-1] for line in expected], name
    assert mine.vocabulary_by_name("words") == theirs.vocabulary_by_name("words")


def test_the_transform_graph_is_one_that_tft_serves(ours: tuple[Path, Transformed], examples: Path) -> None:
    out, _ = ours
    output = tft.TFTransformOutput(str(out / "graph"))
    layer = output.transform_features_layer()
    serialised = next(iter(tf.data.TFRecordDataset(str(split_paths(examples, "eval")[0]), "GZIP").batch(200)))
    served = layer(tf.io.parse_example(serialised, output.raw_feature_spec()))
    written = decoded(out, "eval").to_pydict()
    for name in ("z_score", "buckets", "word_id", "two_phase_word"):
        np.testing.assert_allclose(served[name].numpy().ravel(), np.ravel(written[name]), rtol=1e-6)


def test_two_runs_write_the_same_bytes(
    ours: tuple[Path, Transformed], examples: Path, many: dict[str, str], tmp_path: Path
) -> None:
    out, _ = ours
    done = run(examples, tmp_path, many, custom_config=CONFIG, analyzer_cache=out / "cache")
    assert (done.computed, done.reused) == (0, ours[1].computed)  # whether or not the cache had it
    first, second = files(out), files(tmp_path)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_new_span_costs_only_its_own_analysis(
    ours: tuple[Path, Transformed], examples: Path, many: dict[str, str], tmp_path: Path
) -> None:
    out, before = ours
    longer = spans(shutil.copytree(examples, tmp_path / "examples"), 3)
    cached = run(longer, tmp_path / "a", many, custom_config=CONFIG, analyzer_cache=out / "cache")
    assert cached.reused == before.computed
    assert cached.computed == before.computed // 2
    fresh = run(longer, tmp_path / "b", many, custom_config=CONFIG)
    assert fresh.reused == 0
    assert files(tmp_path / "a" / "graph") == files(tmp_path / "b" / "graph")


def test_another_preprocessing_fn_does_not_take_the_cache_of_the_first(examples: Path, tmp_path: Path) -> None:
    def of(scale: float) -> dict[str, str]:
        return module(f"def preprocessing_fn(inputs):\n  return {{'a': tft.scale_to_z_score(inputs['x'] * {scale})}}")

    first = run(examples, tmp_path / "a", of(1.0))
    second = run(examples, tmp_path / "b", of(3.0), analyzer_cache=tmp_path / "a" / "cache")
    assert (first.computed, second.computed, second.reused) == (2, 2, 0)


def test_a_damaged_cache_is_computed_anew(examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = module("def preprocessing_fn(inputs):\n  return {'a': tft.scale_to_z_score(inputs['x'])}")
    run(examples, tmp_path / "a", source)
    entry = next((tmp_path / "a" / "cache").rglob("*.gz"))
    entry.write_bytes(entry.read_bytes()[:-9])
    done = run(examples, tmp_path / "b", source, analyzer_cache=tmp_path / "a" / "cache")
    assert (done.computed, done.reused) == (1, 1)
    assert "is left out" in capsys.readouterr().out


def test_post_transform_statistics_are_of_the_transformed_examples(ours: tuple[Path, Transformed]) -> None:
    import json

    out, _ = ours
    summary = json.loads((out / "statistics" / "Split-train" / "summary.json").read_text())
    assert summary["rows"] == ROWS
    z_score = next(f for f in summary["features"] if f["name"] == "z_score")
    assert z_score["mean"] == pytest.approx(0, abs=1e-4)
    assert z_score["std"] == pytest.approx(1, abs=1e-3)


def test_an_analyzer_that_is_a_beam_transform_goes_to_beam(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planned before any data is read, so nothing is half done."""
    from tidegate.components.transform.inputs import Adapter
    from tidegate.components.transform.preprocessing import Preprocessing

    def function(inputs: Any) -> Any:
        import apache_beam as beam

        total = tft.experimental.ptransform_analyzer([inputs["x"]], beam.Map(sum), [tf.float32], [[]])
        return {"a": inputs["x"] - total[0]}

    adapter = Adapter(text_format.Parse(SCHEMA, schema_pb2.Schema()))
    preprocessing = Preprocessing(function, adapter.specs, Path("/nowhere"))
    with pytest.raises(in_memory.UnsupportedError, match="PTransform"):
        in_memory.analyze(preprocessing, {}, {}, Path("/nowhere"))


@pytest.mark.parametrize(
    ("source", "given", "said"),
    [
        ("def other(inputs): return inputs", {}, "no function 'preprocessing_fn'; it defines: other"),
        ("def preprocessing_fn(inputs): return {}", {}, "at least one feature"),
        ("def preprocessing_fn(inputs): return inputs['x']", {}, "expected a dict"),
        (
            "def preprocessing_fn(inputs): return inputs",
            {"analyze_splits": ["training"]},
            "expected some of: eval, train",
        ),
    ],
)
def test_what_the_user_can_mend_is_said(
    source: str, given: dict[str, Any], said: str, examples: Path, tmp_path: Path
) -> None:
    with pytest.raises(ComponentError, match=said):
        run(examples, tmp_path, module(source), **given)


def test_the_users_own_error_passes_through(examples: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no_such_feature"):
        run(examples, tmp_path, module("def preprocessing_fn(inputs): return {'a': inputs['no_such_feature']}"))


def test_examples_that_lack_a_required_value_are_refused_with_their_file(examples: Path, tmp_path: Path) -> None:
    schema = schema_of(tmp_path / "other", SCHEMA + one_feature("absent", "FLOAT"))
    with pytest.raises(ComponentError, match=r"tfrecord-.* does not fit the schema"):
        run(examples, tmp_path, module("def preprocessing_fn(inputs): return inputs"), schema=schema)


def test_an_empty_vocabulary_and_sparse_output_are_kept(examples: Path, tmp_path: Path) -> None:
    source = module(
        "def preprocessing_fn(inputs):\n"
        "  none = tft.compute_and_apply_vocabulary(inputs['word'], frequency_threshold=10**6)\n"
        "  return {'tags': inputs['tags'], 'none': none}"
    )
    run(examples, tmp_path, source)
    found = decoded(tmp_path, "eval").to_pydict()
    assert {value for each in found["none"] for value in each} == {-1}
    original = pa.Table.from_batches(list(read_examples(split_paths(examples, "eval")))).to_pydict()
    assert [each or [] for each in found["tags"]] == [each or [] for each in original["tags"]]

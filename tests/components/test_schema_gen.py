"""schema_gen infers; schema_importer takes a curated schema as the requirement and shows how the data differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_fixtures import Data, trips
from tensorflow_metadata.proto.v0 import schema_pb2

from tidegate.components.errors import ComponentError
from tidegate.components.schema_gen.files import parse_schema, read_schema
from tidegate.components.schema_gen.work import import_schema


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return Data(tmp_path_factory.mktemp("data"), train=trips(2000), eval=trips(300, seed=1, gate=["D"] * 300))


def test_the_inferred_schema_covers_all_splits(data: Data) -> None:
    schema = read_schema(data.schema)
    features = {feature.name: feature for feature in schema.feature}
    domains = {domain.name: list(domain.value) for domain in schema.string_domain}
    assert features["wind"].type == schema_pb2.FLOAT and features["hour"].shape.dim[0].size == 1
    assert domains["gate"] == ["A", "B", "C", "D"]
    assert features["note"].presence.min_fraction < 1


def test_a_curated_schema_is_kept_as_it_is_and_its_differences_are_shown(
    data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (data.schema / "schema.pbtxt").read_text()
    curated = parse_schema(text, "schema")
    for feature in curated.feature:
        if feature.name == "hour":
            feature.type = schema_pb2.FLOAT
        if feature.name == "note":
            feature.presence.min_fraction = 1.0
        if feature.name == "wind":
            feature.name = "windspeed"
    next(d for d in curated.string_domain if d.name == "gate").value.remove("D")
    found = import_schema(str(curated), tmp_path / "schema", data.statistics)
    assert read_schema(tmp_path / "schema") == curated
    assert {(d.feature, d.what) for d in found} == {
        ("gate", "domain"),
        ("hour", "type"),
        ("note", "presence"),
        ("wind", "feature"),
        ("windspeed", "feature"),
    }
    printed = capsys.readouterr().out
    assert "gate: domain: the schema says 3 values, the data also D" in printed
    assert "hour: type: the schema says FLOAT, the data INT" in printed


def test_a_schema_that_the_data_fits_does_not_differ(data: Data, tmp_path: Path) -> None:
    text = (data.schema / "schema.pbtxt").read_text()
    assert import_schema(text, tmp_path / "schema", data.statistics) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "schema_text has no feature"),
        ('feature {\n  name: "a"\n  kind: INT\n}', 'schema_text line 3 is no TFMD schema.*"kind"'),
        ('feature { name: "a" type: INT }\nfeature { name: "a" type: INT }', "feature 'a' is there twice"),
    ],
)
def test_text_that_is_no_schema_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ComponentError, match=said):
        import_schema(text, tmp_path / "schema")
    assert not (tmp_path / "schema").exists()

"""Placeholders in commands, arguments and constants, as KFP replaces them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kfp.dsl import ConcatPlaceholder, IfPresentPlaceholder

from tidegate.graph.placeholders import PlaceholderError, constant, path_of, resolve, substitute

NAMES = {"pipeline_job_name": "job", "pipeline_task_name": "train", "workspace_path": "/space"}
GIVEN = {
    "inputs": {
        "parameterValues": {
            "text": "a 'quoted' \"text\"",
            "n": 3,
            "rate": 2.0,
            "yes": True,
            "items": [1, "b"],
            "options": {"a": {"b": 1}},
            "trick": "{{$.inputs.parameters['n']}}",
        },
        "artifacts": {
            "data": {
                "artifacts": [
                    {"name": "data", "uri": "gs://bucket/d", "metadata": {"rows": 5, "by": "me"}, "type": {}},
                ]
            },
            "many": {"artifacts": [{"name": "x", "uri": "/x"}, {"name": "y", "uri": "/y"}]},
        },
    },
    "outputs": {
        "parameters": {"loss": {"outputFile": "/out/.parameters/loss"}},
        "artifacts": {"model": {"artifacts": [{"name": "model", "uri": "s3://b/model", "metadata": {}}]}},
        "outputFile": "/out/executor_output.json",
    },
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{$.inputs.parameters['text']}}", "a 'quoted' \"text\""),
        ("--n={{$.inputs.parameters['n']}}!", "--n=3!"),
        ("{{$.inputs.parameters['rate']}}", "2"),
        ("{{$.inputs.parameters['yes']}}", "true"),
        ("{{$.inputs.parameters['items']}}", '[1,"b"]'),
        ('{{$.inputs.parameters["n"]}}', "3"),
        ("{{$.inputs.parameters[''n'']}}", "3"),
        ("{{$.inputs.parameters['gone']}}", "null"),
        ("{{$.inputs.parameters['options']['a']['b']}}", "1"),
        ("{{$.inputs.parameters['trick']}}", "{{$.inputs.parameters['n']}}"),
        ("{{$.inputs.artifacts['data'].uri}}", "gs://bucket/d"),
        ("{{$.inputs.artifacts['data'].path}}", "/gcs/bucket/d"),
        ("{{$.inputs.artifacts['data'].name}}", "data"),
        ("{{$.inputs.artifacts['data'].metadata}}", '{"by":"me","rows":5}'),
        ("{{$.inputs.artifacts['data'].metadata['rows']}}", "5"),
        ("{{$.inputs.artifacts['data'].metadata['gone']}}", ""),
        ("{{$.inputs.artifacts['not-given'].path}}", ""),
        ("{{$.inputs.artifacts['many']}}", '[{"name":"x","uri":"/x"},{"name":"y","uri":"/y"}]'),
        ("{{$.outputs.parameters['loss'].output_file}}", "/out/.parameters/loss"),
        ("{{$.outputs.artifacts['model'].uri}} {{$.outputs.artifacts['model'].path}}", "s3://b/model /s3/b/model"),
        ("{{$.outputs.output_file}}", "/out/executor_output.json"),
        ("{{$.outputMetadataUri}}", "/out/executor_output.json"),
        ("{{$.pipeline_job_name}}/{{$.pipeline_task_name}}", "job/train"),
        ("{{$.workspace_path}}/x", "/space/x"),
        ("{{$}}", json.dumps(GIVEN)),
        ("{{$.json_escape[1]}}", json.dumps(json.dumps(GIVEN))[1:-1]),
        ("{{$.Values.image}} {{ $.x }} {{$.inputs", "{{$.Values.image}} {{ $.x }} {{$.inputs"),
        ("{{$.inputs.parameters[n]}}", "{{$.inputs.parameters[n]}}"),
    ],
)
def test_each_placeholder_has_kfps_meaning(text, filled):
    assert substitute(text, GIVEN, NAMES) == filled


@pytest.mark.parametrize(
    "text",
    [
        "{{$.outputs.parameters['gone'].output_file}}",
        "{{$.outputs.artifacts['gone'].path}}",
        "{{$.inputs.artifacts['data'].size}}",
    ],
)
def test_an_output_that_the_component_has_not_is_an_error(text):
    with pytest.raises(PlaceholderError):
        substitute(text, GIVEN, NAMES)


@pytest.mark.parametrize(
    ("part", "filled"),
    [
        (ConcatPlaceholder(["--n=", "{{$.inputs.parameters['n']}}"]), ("--n=3",)),
        (IfPresentPlaceholder("n", then=["--n", "{{$.inputs.parameters['n']}}"]), ("--n", "3")),
        (IfPresentPlaceholder("gone", then=["--gone"]), ()),
        (IfPresentPlaceholder("gone", then=["--gone"], else_=["--other", "1"]), ("--other", "1")),
        (IfPresentPlaceholder("data", then="yes", else_="no"), ("yes",)),
        (ConcatPlaceholder(["a", IfPresentPlaceholder("gone", then="b", else_="c"), "d"]), ("acd",)),
        (
            IfPresentPlaceholder("n", then=[ConcatPlaceholder(["x", IfPresentPlaceholder("gone", then="y")]), "z"]),
            ("x", "z"),
        ),
    ],
)
def test_concat_and_if_present_as_kfp_writes_them(part, filled):
    assert resolve([part._to_string()], GIVEN, NAMES) == filled


def test_constants_are_filled_in_at_any_depth():
    value = {
        "a": ["{{$.inputs.parameters['n']}}", 1],
        "{{$.pipeline_job_name}}": {"b": "x{{$.inputs.parameters['yes']}}"},
    }
    assert constant(value, {"n": 3, "yes": True}, NAMES) == {"a": ["3", 1], "job": {"b": "xtrue"}}


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("gs://b/x", "/gcs/b/x"),
        ("minio://b/x", "/minio/b/x"),
        ("s3://b/x", "/s3/b/x"),
        ("/a/b", "/a/b"),
        ("file:///a/b", "/a/b"),
        ("https://host/x", "https://host/x"),
    ],
)
def test_paths_come_from_uris(uri, path):
    assert path_of(uri) == path


@given(st.text(alphabet="{}$.[]'\"\\ inputsparametersn0", max_size=80))
def test_whatever_is_written_is_filled_in_or_refused(text):
    try:
        substitute("{{$" + text, GIVEN, NAMES)
    except PlaceholderError as error:
        assert str(error)


def test_a_hostile_placeholder_costs_no_more_than_its_length():
    text = "{{$" + "." * 100_000 + "['" * 50_000
    assert substitute(text, GIVEN, NAMES) == text

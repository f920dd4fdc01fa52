"""ExecutorInput in, ExecutorOutput out: as KFP's executor and launcher have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.graph import (
    Artifact,
    ArtifactType,
    Container,
    OutputError,
    Outputs,
    Work,
    command_line,
    executor_input,
    read_outputs,
)

MODEL = ArtifactType("system.Model", "0.0.1")
WORK = Work(
    "train",
    "train",
    Container(
        "python:3.11", ("python", "-c", "..."), ("--executor_input", "{{$}}", "{{$.outputs.artifacts['model'].path}}")
    ),
    parameters={"n": 3, "rate": 0.5, "options": {"a": [1]}},
    artifacts={"data": (Artifact("data", "/d", "system.Dataset", metadata={"rows": 5}, digest="sha256:1"),)},
    output_parameters={"n": "NUMBER_INTEGER", "text": "STRING", "yes": "BOOLEAN", "items": "LIST"},
    output_artifacts={"model": MODEL},
)
ALL = {"n": 3.0, "text": "t", "yes": True, "items": [1.0, 2]}


def read(said: Any, files: dict[str, str] | None = None, work: Work = WORK) -> Outputs:
    given = executor_input(work, "/out")
    text = said if isinstance(said, str | None) else json.dumps(said)
    return read_outputs(work, given, text, lambda path: (files or {}).get(path.removeprefix("/out/.parameters/")))


def test_the_executor_input_is_kfps():
    assert executor_input(WORK, "/out") == {
        "inputs": {
            "parameterValues": {"n": 3, "rate": 0.5, "options": {"a": [1]}},
            "artifacts": {
                "data": {
                    "artifacts": [
                        {
                            "name": "data",
                            "type": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
                            "uri": "/d",
                            "metadata": {"rows": 5},
                        }
                    ]
                }
            },
        },
        "outputs": {
            "parameters": {name: {"outputFile": f"/out/.parameters/{name}"} for name in ("n", "text", "yes", "items")},
            "artifacts": {
                "model": {
                    "artifacts": [
                        {
                            "name": "model",
                            "type": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"},
                            "uri": "/out/model",
                            "metadata": {},
                        }
                    ]
                }
            },
            "outputFile": "/out/executor_output.json",
        },
    }


def test_the_command_line_has_everything_filled_in():
    given = executor_input(WORK, "/out")
    assert command_line(WORK, given, {}) == ("python", "-c", "...", "--executor_input", json.dumps(given), "/out/model")


def test_values_come_typed_from_the_executors_file():
    assert read({"parameterValues": ALL}).parameters == {"n": 3, "text": "t", "yes": True, "items": [1, 2]}


def test_values_come_typed_from_files_of_their_own():
    files = {"n": "3\n", "text": " as it is\n", "yes": "True", "items": "[1.0]"}
    assert read(None, files).parameters == {"n": 3, "text": " as it is\n", "yes": True, "items": [1]}


def test_the_executors_file_goes_before_the_others():
    assert read({"parameterValues": ALL}, {"n": "9"}).parameters["n"] == 3


def test_artifacts_are_where_they_were_planned_unless_the_executor_says_otherwise():
    assert read({"parameterValues": ALL}).artifacts["model"] == (Artifact("model", "/out/model", "system.Model"),)
    said = {"name": "m", "uri": "/elsewhere/", "metadata": {"loss": 1.0}, "custom_path": "/c"}
    moved = read({"parameterValues": ALL, "artifacts": {"model": {"artifacts": [said]}}}).artifacts["model"]
    assert moved == (Artifact("m", "/elsewhere", "system.Model", metadata={"loss": 1.0}, custom_path="/c"),)


@pytest.mark.parametrize(
    ("said", "files", "words"),
    [
        (None, {}, "output 'n': expected NUMBER_INTEGER, and the task wrote nothing"),
        ("", {"n": "x"}, "output 'n': expected NUMBER_INTEGER, found 'x'"),
        ({"parameterValues": ALL | {"n": 2.5}}, {}, "output 'n': expected NUMBER_INTEGER, found 2.5"),
        ({"parameterValues": ALL | {"n": True}}, {}, "output 'n': expected NUMBER_INTEGER, found true"),
        ({"parameterValues": ALL | {"text": 3}}, {}, "output 'text': expected STRING, found 3"),
        ({"parameterValues": ALL | {"yes": "true"}}, {}, "output 'yes': expected BOOLEAN"),
        ({"parameterValues": ALL | {"items": {}}}, {}, "output 'items': expected LIST, found {}"),
        ("not json", {}, "executor_output.json is not JSON"),
        ("[" * 10_000, {}, "executor_output.json is not JSON: nested deeper"),
        ("[]", {}, "executor_output.json: expected an object, found list"),
        ({"parameterValues": [1]}, {}, "parameterValues: expected an object, found [1]"),
        ({"parameterValues": ALL, "artifacts": {"model": 3}}, {}, "model: expected an object, found 3"),
        ({"parameterValues": ALL, "artifacts": {"model": {"artifacts": ["x"]}}}, {}, "expected a list of objects"),
        (
            {"parameterValues": ALL, "artifacts": {"model": {"artifacts": [{"metadata": 3}]}}},
            {},
            "metadata: expected an object, found 3",
        ),
    ],
)
def test_outputs_that_are_not_what_was_declared_are_told(said, files, words):
    with pytest.raises(OutputError) as refused:
        read(said, files)
    assert words in str(refused.value)

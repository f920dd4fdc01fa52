"""The MLServer runtime: raw features in, the signature's outputs out, and what the client did wrong."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ROWS, example
from mlserver.errors import InferenceError
from mlserver.settings import ModelSettings
from mlserver.types import InferenceRequest, InferenceResponse

from tidegate.serving.runtime import SavedModelRuntime
from tidegate.serving.settings import Extras, model_settings
from tidegate.serving.tensors import BadRequestError, examples_from_features


@pytest.fixture(scope="module")
def runtime(model: Path) -> SavedModelRuntime:
    settings = ModelSettings.model_validate(json.loads(model_settings("flights", str(model), "00001")))
    made = SavedModelRuntime(settings)
    assert asyncio.run(made.load())
    return made


def ask(runtime: SavedModelRuntime, *inputs: dict[str, Any]) -> InferenceResponse:
    return asyncio.run(runtime.predict(InferenceRequest.model_validate({"id": "7", "inputs": list(inputs)})))


def tensor(name: str, datatype: str, data: list[Any], shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def test_whole_examples_and_separate_features_are_answered_alike(runtime: SavedModelRuntime, model: Path) -> None:
    outputs = json.loads((model / "Samples/predictions.json").read_text())["outputs"]
    encoded = [base64.b64encode(example(*r)).decode() for r in ROWS]

    whole = ask(runtime, tensor("examples", "BYTES", encoded))
    apart = ask(
        runtime,
        tensor("distance", "FP32", [r[0] for r in ROWS], [len(ROWS), 1]),
        tensor("carrier", "BYTES", [r[1] for r in ROWS]),
        tensor("hour", "INT64", [12 if r[2] is None else r[2] for r in ROWS]),
    )

    expected = [p for (p,) in outputs["probability"]]
    for response in (whole, apart):
        found = {o.name: o for o in response.outputs}
        assert list(found["probability"].data) == pytest.approx(expected, abs=1e-6)
        assert found["probability"].shape == [len(ROWS), 1] and found["probability"].datatype == "FP32"
        assert response.id == "7" and response.model_version == "00001"


def test_bytes_as_grpc_brings_them_are_taken_as_they_are(runtime: SavedModelRuntime) -> None:
    inputs = {"inputs": [tensor("examples", "BYTES", [])]}
    request = InferenceRequest.model_validate(inputs)
    request.inputs[0].data.root = [example(1.0, "UA")]

    response = asyncio.run(runtime.predict(request))

    assert {o.name for o in response.outputs} == {"probability", "carrier"}


def test_its_metadata_names_inputs_and_outputs(runtime: SavedModelRuntime) -> None:
    assert [(i.name, i.datatype) for i in runtime.inputs or []] == [("examples", "BYTES")]
    assert [(o.name, o.datatype, o.shape) for o in runtime.outputs or []] == [
        ("carrier", "BYTES", [-1]),
        ("probability", "FP32", [-1, 1]),
    ]


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([tensor("examples", "BYTES", ["%%%"])], "examples[0] is not base64"),
        ([tensor("examples", "BYTES", [base64.b64encode(b"no example").decode()])], "Could not parse example"),
        ([tensor("distance", "FP32", [1.0, 2.0]), tensor("carrier", "BYTES", ["UA"])], "disagree on"),
        ([tensor("distance", "FP32", [1.0])], "carrier"),
        ([tensor("distance", "FP32", ["far"]), tensor("carrier", "BYTES", ["UA"])], "has a value that is no FP32"),
    ],
)
def test_a_request_that_does_not_fit_is_the_clients_fault(
    inputs: list[dict[str, Any]], says: str, runtime: SavedModelRuntime
) -> None:
    with pytest.raises(InferenceError) as error:
        ask(runtime, *inputs)
    assert says in str(error.value) and error.value.status_code == 400


def test_features_of_several_values_and_missing_ones() -> None:
    from tensorflow.core.example.example_pb2 import Example

    first, second = (
        Example.FromString(e).features.feature
        for e in examples_from_features({"a": ("INT64", [2, 2], [[1, 2], [3, 4]]), "b": ("FP64", [2], [None, 0.5])})
    )

    assert list(first["a"].int64_list.value) == [1, 2] and "b" not in first
    assert list(second["b"].float_list.value) == [0.5]
    with pytest.raises(BadRequestError, match="do not make 2 rows"):
        examples_from_features({"a": ("INT64", [2], [1, 2, 3])})


def test_settings_say_only_what_is_not_the_default() -> None:
    told = model_settings("m", ".", extras=Extras(batch_size=32, slices=("header:a=b",)))

    assert "extra" not in json.loads(model_settings("m", "."))["parameters"]
    extra = json.loads(told)["parameters"]["extra"]
    assert extra == {"batch_size": 32, "slices": ["header:a=b"]} and Extras.read(extra).batch_size == 32
    with pytest.raises(ValueError, match="unknown parameters batchsize"):
        Extras.read({"batchsize": 1})


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    settings = ModelSettings.model_validate(json.loads(model_settings("m", str(tmp_path))))

    with pytest.raises(FileNotFoundError, match="no SavedModel in"):
        asyncio.run(SavedModelRuntime(settings).load())

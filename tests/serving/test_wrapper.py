"""Models packaged for Seldon's Python wrapper are served as they are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from mlserver.settings import ModelSettings

from tidegate.serving.settings import Extras, model_settings
from tidegate.serving.tensors import BadRequestError
from tidegate.serving.verifying import UntrustedModelError
from tidegate.serving.wrapper import SeldonClassRuntime

CLASS = """
import numpy as np

class {name}:
    def __init__(self, bias=0):
        self.bias, self.loaded, self.rewards = bias, False, []
    def load(self):
        self.loaded = True
    def predict(self, X, names=None, meta=None):
        assert self.loaded
        self.names = names
        if (np.asarray(X) < 0).any():
            raise RuntimeError("negative")
        return X.sum(axis=1, keepdims=True) + self.bias
    def send_feedback(self, features, feature_names, reward, truth, routing=None):
        self.rewards.append((features.tolist(), list(feature_names), reward, truth))
"""


def runtime(folder: Path, name: str, **extras: Any) -> SeldonClassRuntime:
    (folder / f"{name}.py").write_text(CLASS.format(name=name))
    text = model_settings("m", str(folder), "v1", Extras(python_class=name, **extras))
    settings = ModelSettings.model_validate(json.loads(text))
    return SeldonClassRuntime(settings)


def tensor(name: str, data: list[Any], shape: list[int], datatype: str = "FP64") -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def test_a_class_is_loaded_asked_and_rewarded(tmp_path: Path) -> None:
    async def scene() -> None:
        model = runtime(tmp_path, "Adds", class_parameters={"bias": 10})
        await model.load()
        answer = await model.answer({"inputs": [tensor("x", [1, 2, 3, 4], [2, 2])]}, {})
        assert answer["outputs"][0] == {
            "name": "predict", "shape": [2, 1], "datatype": "FP64", "data": [13.0, 17.0],
            "parameters": {"content_type": "np"},
        }  # fmt: skip
        model.feedback({"reward": 0.5, "inputs": [tensor("x", [1, 2], [1, 2])]}, {})
        assert model._model.rewards == [([[1.0, 2.0]], ["x"], 0.5, None)]
        assert model.counter.whole.rewards["reward"].total == 0.5
        await model.unload()

    asyncio.run(scene())


def test_several_inputs_are_the_columns_of_one_matrix_with_their_names(tmp_path: Path) -> None:
    async def scene() -> None:
        model = runtime(tmp_path, "Columns")
        await model.load()
        answer = await model.answer({"inputs": [tensor("a", [1, 2], [2]), tensor("b", [10, 20], [2, 1], "INT64")]}, {})
        assert answer["outputs"][0]["data"] == [11.0, 22.0] and model._model.names == ["a", "b"]
        await model.unload()

    asyncio.run(scene())


def test_what_the_class_raises_is_an_error_of_the_model_and_counted(tmp_path: Path) -> None:
    async def scene() -> None:
        model = runtime(tmp_path, "Raises")
        await model.load()
        with pytest.raises(RuntimeError, match="negative"):
            await model.answer({"inputs": [tensor("x", [-1], [1, 1])]}, {})
        with pytest.raises(BadRequestError, match="do not fit"):
            await model.answer({"inputs": [tensor("x", [1, 2, 3], [2, 2])]}, {})
        assert (model.counter.whole.requests, model.counter.whole.errors) == (1, 1)
        await model.unload()

    asyncio.run(scene())


def test_a_folder_without_the_class_says_so(tmp_path: Path) -> None:
    model = runtime(tmp_path, "Here")
    (tmp_path / "Here.py").write_text("class Other: pass")

    with pytest.raises(ValueError, match="has no class Here with a method predict"):
        asyncio.run(model.load())


def test_another_model_than_the_one_asked_for_is_not_even_imported(tmp_path: Path) -> None:
    model = runtime(tmp_path, "Changed", digest="sha256:" + "0" * 64)
    (tmp_path / "Changed.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")

    with pytest.raises(UntrustedModelError, match="expected the model sha256:0000"):
        asyncio.run(model.load())
    assert not (tmp_path / "ran").exists()

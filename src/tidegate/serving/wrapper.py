"""An MLServer runtime for models packaged for Seldon's Python wrapper: a class with `predict`, served by V2.

The class is written for seldon-core 1.17.1 and need not know of tidegate; seldon-core itself is not needed. Of its
interface are taken: `load`, `predict(X, names, meta)`, `class_names`, `send_feedback(features, feature_names, reward,
truth, routing)`, `tags` (logged), and parameters for the constructor.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tidegate.serving.served import Served
from tidegate.serving.settings import Extras
from tidegate.serving.tensors import BadRequestError, Tensor

_NUMPY = {"BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64", "BYTES": "object"}
_NUMPY |= {f"{sign.upper()}INT{size}": f"{sign}int{size}" for sign in ("", "u") for size in (8, 16, 32, 64)}
_DATATYPES = {name: datatype for datatype, name in _NUMPY.items() if name != "object"}


class SeldonClassRuntime(Served):
    """One instance of the class; it is asked one request at a time, as Seldon's own default is."""

    async def open(self, folder: Path, extras: Extras) -> None:
        """Raises: ValueError where the class is not there."""
        module_name, _, name = extras.python_class.rpartition(".")
        sys.path.insert(0, str(folder.resolve()))
        importlib.invalidate_caches()
        module = importlib.import_module(module_name or name)
        kind = getattr(module, name, None)
        if kind is None or not callable(getattr(kind, "predict", None)):
            raise ValueError(f"{module.__file__} has no class {name} with a method predict")
        self._model = kind(**extras.class_parameters)
        if callable(load := getattr(self._model, "load", None)):
            await asyncio.to_thread(load)
        self._turn = asyncio.Lock()

    async def infer(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        values, names = _matrix(inputs)
        async with self._turn:
            found = await asyncio.to_thread(_given(self._model.predict, values, names, {}))
        if found is None:
            raise RuntimeError(f"{type(self._model).__name__}.predict returned nothing")
        return _outputs(np.asarray(found), self._class_names())

    def reward(self, value: float, feedback: Mapping[str, Any]) -> None:
        send = getattr(self._model, "send_feedback", None)
        if callable(send):
            values, names = _matrix(Tensor.of_request(feedback)) if feedback.get("inputs") else (np.empty((0, 0)), [])
            truth = feedback.get("truth")
            _given(send, values, names, value, None if truth is None else np.asarray(truth), None)()

    def _class_names(self) -> list[str]:
        names = getattr(self._model, "class_names", None)
        return [str(n) for n in (names() if callable(names) else names or ())]


def _given(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """`function` with as many of the arguments as it takes: Seldon's classes leave the last ones out as they like."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return partial(function, *arguments)
    places = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
    return partial(function, *arguments[:places])


def _matrix(inputs: Mapping[str, Tensor]) -> tuple[Any, list[str]]:
    """One tensor as it is; several as the columns of one matrix, with their names."""
    try:
        arrays = {
            name: np.array(t.data, dtype=_NUMPY.get(t.datatype, "object")).reshape(list(t.shape) or [-1])
            for name, t in inputs.items()
        }
        if len(arrays) == 1:
            return next(iter(arrays.values())), list(arrays)
        return np.column_stack([a.reshape(a.shape[0], -1) for a in arrays.values()]), list(arrays)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequestError(f"the inputs do not fit their shapes and datatypes: {error}") from None


def _outputs(found: Any, class_names: list[str]) -> list[Tensor]:
    """One output `predict`; with class names, one output for each of them instead."""
    if found.ndim == 0:
        found = found.reshape(1)
    if class_names and found.ndim == 2 and found.shape[1] == len(class_names) > 1:
        return [_tensor(name, found[:, i]) for i, name in enumerate(class_names)]
    return [_tensor(class_names[0] if len(class_names) == 1 else "predict", found)]


def _tensor(name: str, values: Any) -> Tensor:
    shape = list(values.shape) if values.ndim > 1 else [*values.shape, 1]
    datatype = _DATATYPES.get(values.dtype.name)
    if datatype is None:
        texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values.ravel().tolist()]
        return Tensor(name, "BYTES", shape, texts, "str")
    return Tensor(name, datatype, shape, values.ravel().tolist(), "np")

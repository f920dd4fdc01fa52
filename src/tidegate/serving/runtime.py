"""An MLServer runtime for SavedModels whose `serving_default` takes serialised tf.Examples.

A request holds either one BYTES input `examples` (serialised tf.Examples; base64 over REST), or one input for each raw
feature by its name. The response has the signature's outputs under their names.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from mlserver.logging import logger
from mlserver.types import MetadataTensor

from tidegate.serving.batching import Answers, Batcher, Rows
from tidegate.serving.frozen import fastest
from tidegate.serving.served import Served
from tidegate.serving.settings import Extras
from tidegate.serving.tensors import EXAMPLES, BadRequestError, Tensor, examples, features_of

_WARM = (1, 2, 8)  # rows of the answers that are given before the first request


class SavedModelRuntime(Served):
    """One loaded SavedModel."""

    async def open(self, folder: Path, extras: Extras) -> None:
        """Load it and answer a few samples, so that the first request does not pay for what is done once."""
        place = next((p for p in (folder / "Format-Serving", folder) if (p / "saved_model.pb").is_file()), None)
        if place is None:
            raise FileNotFoundError(
                f"no SavedModel in {folder}: expected saved_model.pb or Format-Serving/saved_model.pb"
            )
        self._model = tf.saved_model.load(str(place))
        self._call = self._model.signatures["serving_default"]
        (self._input,) = self._call.structured_input_signature[1]
        self._datatypes = {n: _datatype(s.dtype) for n, s in sorted(self._call.structured_outputs.items())}
        self.inputs = [MetadataTensor(name=EXAMPLES, datatype="BYTES", shape=[-1])]
        self.outputs = [
            MetadataTensor(name=name, datatype=datatype, shape=_shape(self._call.structured_outputs[name]))
            for name, datatype in self._datatypes.items()
        ]
        self._batcher = Batcher(self._compute, extras.batch_size, extras.longest_queue)
        samples = _samples(place.parent)
        self._fastest = fastest(self._call, self._input, samples)
        try:
            for rows in _WARM if samples else ():
                self._compute(samples[:1] * rows)
        except tf.errors.OpError as error:  # whether that matters is for a validator, or a rollout, to say
            logger.warning("%s %s does not answer the trainer's own sample: %s", self.name, self.version, error)

    async def unload(self) -> bool:
        if self._loaded:
            self._batcher.close()
        return bool(await super().unload())

    async def infer(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        try:
            results = await self._batcher.answer(examples(inputs))
        except tf.errors.InvalidArgumentError as error:
            if "ParseExample" not in str(error):  # not what came is wrong, but what the model makes of it
                raise
            raise BadRequestError(str(error)) from None
        return [_output(name, datatype, results[name]) for name, datatype in self._datatypes.items()]

    def fields(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Sequence[Any]]:
        if set(inputs) != {EXAMPLES}:
            return super().fields(inputs)
        names = [s.name for s in self.counter.slices if s.kind == "field"]
        found: dict[str, list[Any]] = {}
        for example in examples(inputs) if names else ():
            for name, values in features_of(example, names).items():
                found.setdefault(name, []).extend(values)
        return found

    def _compute(self, rows: Rows) -> Answers:
        results = self._fastest(tf.constant(rows, tf.string))
        return {name: tensor.numpy() for name, tensor in results.items()}


def _samples(model: Path) -> list[bytes]:
    """The examples that trainer keeps; [] where there are none."""
    try:
        kept = json.loads((model / "Samples" / "requests.json").read_text(encoding="utf-8"))
        return [base64.b64decode(example) for example in kept["examples_base64"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _shape(spec: Any) -> list[int]:
    return [-1 if size is None else size for size in spec.shape]


def _datatype(dtype: tf.DType) -> str:
    if dtype == tf.string:
        return "BYTES"
    kind = {"i": "INT", "u": "UINT", "f": "FP"}.get(np.dtype(dtype.as_numpy_dtype).kind)
    return f"{kind}{dtype.size * 8}" if kind else "BOOL"


def _output(name: str, datatype: str, values: np.ndarray[Any, Any]) -> Tensor:
    if values.dtype == object:
        return Tensor(name, datatype, [values.size, 1], [v.decode("utf-8", "replace") for v in values.ravel()], "str")
    shape = list(values.shape)
    return Tensor(name, datatype, shape if len(shape) > 1 else [*shape, 1], values.ravel().tolist(), "np")

"""An MLServer runtime for SavedModels whose `serving_default` takes serialised tf.Examples.

A request holds either one BYTES input `examples` (serialised tf.Examples; base64 over REST), or one input for each raw
feature by its name. The response has the signature's outputs under their names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor, ResponseOutput
from mlserver.utils import get_model_uri

from tidegate.serving.tensors import EXAMPLES, BadRequestError, examples_from_features, raw_examples


class SavedModelRuntime(MLModel):
    """One loaded SavedModel."""

    async def load(self) -> bool:
        """Load it and answer nothing once, so that the first request does not pay for the tracing."""
        folder = Path(await get_model_uri(self._settings))
        place = next((p for p in (folder / "Format-Serving", folder) if (p / "saved_model.pb").is_file()), None)
        if place is None:
            raise FileNotFoundError(
                f"no SavedModel in {folder}: expected saved_model.pb or Format-Serving/saved_model.pb"
            )
        self._model = tf.saved_model.load(str(place))
        self._call = self._model.signatures["serving_default"]
        (self._input,) = self._call.structured_input_signature[1]
        self.inputs = [MetadataTensor(name=EXAMPLES, datatype="BYTES", shape=[-1])]
        self.outputs = [
            MetadataTensor(
                name=name, datatype=_datatype(spec.dtype), shape=[-1 if d is None else d for d in spec.shape]
            )
            for name, spec in sorted(self._call.structured_outputs.items())
        ]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Raises: InferenceError (HTTP 400) for a request that does not fit the model."""
        try:
            batch = self._examples(payload)
            results = self._call(**{self._input: tf.constant(batch, tf.string)})
        except (BadRequestError, tf.errors.InvalidArgumentError) as error:
            raise InferenceError(str(error)) from None
        outputs = [_output(name, np.asarray(results[name].numpy())) for name in sorted(results)]
        return InferenceResponse(id=payload.id, model_name=self.name, model_version=self.version, outputs=outputs)

    def _examples(self, payload: InferenceRequest) -> list[bytes]:
        inputs = {i.name: i for i in payload.inputs}
        if set(inputs) == {EXAMPLES}:
            return raw_examples(_data(inputs[EXAMPLES]))
        if not inputs:
            raise BadRequestError("the request has no inputs")
        return examples_from_features({n: (_text(i.datatype), i.shape, _data(i)) for n, i in inputs.items()})


def _data(tensor: Any) -> list[Any]:
    return list(getattr(tensor.data, "root", tensor.data))


def _text(datatype: Any) -> str:
    return str(getattr(datatype, "value", datatype))


def _datatype(dtype: tf.DType) -> str:
    if dtype == tf.string:
        return "BYTES"
    kind = {"i": "INT", "u": "UINT", "f": "FP"}.get(np.dtype(dtype.as_numpy_dtype).kind)
    return f"{kind}{dtype.size * 8}" if kind else "BOOL"


def _output(name: str, values: np.ndarray[Any, Any]) -> ResponseOutput:
    if values.dtype == object:
        return StringCodec.encode_output(name, [v.decode("utf-8", "replace") for v in values.ravel()])
    return NumpyCodec.encode_output(name, values)

"""Open Inference Protocol tensors as plain data, and the serialised tf.Examples made from them.

Imports TensorFlow's protos only where used.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EXAMPLES = "examples"
"""The input that carries whole, serialised tf.Examples."""
INTEGERS = frozenset({"BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
FLOATS = frozenset({"FP16", "FP32", "FP64"})


class BadRequestError(ValueError):
    """The request does not fit; the message is for the client."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or an output; `data` is flat."""

    name: str
    datatype: str
    shape: Sequence[int]
    data: Sequence[Any]
    content_type: str = ""

    @property
    def width(self) -> int:
        """Values a row."""
        width = 1
        for size in self.shape[1:]:
            width *= size
        return width

    @staticmethod
    def of_request(request: Any) -> dict[str, Tensor]:
        """The inputs of a V2 request by name. Raises: BadRequestError."""
        inputs = request.get("inputs") if isinstance(request, dict) else None
        if not isinstance(inputs, list) or not inputs:
            raise BadRequestError('expected {"inputs": [{"name", "shape", "datatype", "data"}, ...]} with at least one')
        found = {}
        for i, one in enumerate(inputs):
            try:
                name, datatype, shape, data = one["name"], one["datatype"], one["shape"], one["data"]
            except (KeyError, TypeError):
                raise BadRequestError(f"inputs[{i}] must have name, shape, datatype and data") from None
            if not isinstance(data, list) or not isinstance(shape, list) or not isinstance(name, str):
                raise BadRequestError(f"inputs[{i}]: name must be text, shape and data lists")
            found[name] = Tensor(name, str(datatype), shape, _flat(data))
        return found

    def written(self) -> dict[str, Any]:
        """As a V2 response has it."""
        plain = {"name": self.name, "shape": list(self.shape), "datatype": self.datatype, "data": list(self.data)}
        return plain | {"parameters": {"content_type": self.content_type}} if self.content_type else plain


def examples(inputs: Mapping[str, Tensor]) -> list[bytes]:
    """One serialised tf.Example a row: those sent whole, or made from one tensor a feature. Raises: BadRequestError."""
    if len(inputs) == 1 and EXAMPLES in inputs:
        return raw_examples(inputs[EXAMPLES].data)
    return examples_from_features({n: (t.datatype, t.shape, t.data) for n, t in inputs.items()})


def raw_examples(values: Sequence[Any]) -> list[bytes]:
    """Bytes as they come by gRPC, or base64 text as it comes by REST (JSON has no bytes)."""
    found = []
    for i, value in enumerate(_flat(values)):
        if isinstance(value, bytes | bytearray):
            found.append(bytes(value))
            continue
        try:
            found.append(base64.b64decode(value, validate=True))
        except (binascii.Error, TypeError, ValueError):
            raise BadRequestError(
                f"examples[{i}] is not base64: send each serialised tf.Example as base64 text, or by gRPC as bytes"
            ) from None
    return found


def examples_from_features(inputs: Mapping[str, tuple[str, Sequence[int], Sequence[Any]]]) -> list[bytes]:
    """One tf.Example a row from one tensor a feature: name -> (datatype, shape, data).

    A tensor of shape [n] or [n, 1] gives each row one value, [n, k] gives k; null gives none (a missing value).
    Raises: BadRequestError for tensors that disagree on n, or a datatype that a tf.Example cannot hold.
    """
    from tensorflow.core.example.example_pb2 import Example

    rows: dict[str, Sequence[Sequence[Any]]] = {n: _rows(n, shape, data) for n, (_, shape, data) in inputs.items()}
    counts = {name: len(r) for name, r in rows.items()}
    if len(set(counts.values())) != 1:
        raise BadRequestError(f"the inputs disagree on the number of rows: {counts}")
    found = []
    for i in range(next(iter(counts.values()))):
        example = Example()
        features = example.features.feature
        for name, (datatype, _, _) in inputs.items():
            values = rows[name][i]
            if None in values:
                values = [v for v in values if v is not None]
            if values:
                _fill(features[name], name, datatype, values)
        found.append(example.SerializeToString())
    return found


def features_of(example: bytes, names: Sequence[str]) -> dict[str, list[Any]]:
    """The values of some features of a serialised tf.Example; those that it has not are not there.

    Raises: BadRequestError.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.example.example_pb2 import Example

    try:
        feature = Example.FromString(example).features.feature
    except DecodeError:
        raise BadRequestError("one of the examples is no serialised tf.Example") from None
    found = {}
    for name in names:
        if name in feature:
            kind = feature[name].WhichOneof("kind")
            found[name] = list(getattr(feature[name], kind).value) if kind else []
    return found


def _fill(feature: Any, name: str, datatype: str, values: Sequence[Any]) -> None:
    try:
        if datatype in INTEGERS:
            feature.int64_list.value.extend(map(int, values))
        elif datatype in FLOATS:
            feature.float_list.value.extend(map(float, values))
        elif datatype == "BYTES":
            feature.bytes_list.value.extend(v if isinstance(v, bytes) else str(v).encode() for v in values)
        else:
            raise BadRequestError(f"input {name!r} has datatype {datatype!r}; expected BYTES, INT64, FP32 or the like")
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, BadRequestError):
            raise
        raise BadRequestError(f"input {name!r} has a value that is no {datatype}: {error}") from None


def _rows(name: str, shape: Sequence[int], data: Sequence[Any]) -> Sequence[Sequence[Any]]:
    flat = _flat(data)
    rows = shape[0] if shape else 1
    if rows == 1:
        return (flat,)
    if not isinstance(rows, int) or rows < 1 or len(flat) % rows:
        raise BadRequestError(f"input {name!r} has {len(flat)} values, which do not make {rows} rows")
    width = len(flat) // rows
    return [flat[i * width : (i + 1) * width] for i in range(rows)]


def _flat(values: Sequence[Any]) -> Sequence[Any]:
    """JSON's nested lists are regular: where the first value is no list, none is."""
    if not values or type(values[0]) not in (list, tuple):
        return values
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list | tuple):
            flat.extend(_flat(value))
        else:
            flat.append(value)
    return flat

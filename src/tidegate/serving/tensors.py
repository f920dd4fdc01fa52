"""Between Open Inference Protocol tensors and serialised tf.Examples. Imports TensorFlow's protos only where used."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

EXAMPLES = "examples"
"""The input that carries whole, serialised tf.Examples."""
INTEGERS = frozenset({"BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
FLOATS = frozenset({"FP16", "FP32", "FP64"})


class BadRequestError(ValueError):
    """The request does not fit; the message is for the client."""


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

    rows: dict[str, list[list[Any]]] = {name: _rows(name, shape, data) for name, (_, shape, data) in inputs.items()}
    counts = {name: len(r) for name, r in rows.items()}
    if len(set(counts.values())) != 1:
        raise BadRequestError(f"the inputs disagree on the number of rows: {counts}")
    found = []
    for i in range(next(iter(counts.values()))):
        example = Example()
        for name, (datatype, _, _) in inputs.items():
            values = [v for v in rows[name][i] if v is not None]
            if values:
                _fill(example.features.feature[name], name, datatype, values)
        found.append(example.SerializeToString(deterministic=True))
    return found


def _fill(feature: Any, name: str, datatype: str, values: list[Any]) -> None:
    try:
        if datatype in INTEGERS:
            feature.int64_list.value.extend(int(v) for v in values)
        elif datatype in FLOATS:
            feature.float_list.value.extend(float(v) for v in values)
        elif datatype == "BYTES":
            feature.bytes_list.value.extend(v if isinstance(v, bytes) else str(v).encode() for v in values)
        else:
            raise BadRequestError(f"input {name!r} has datatype {datatype!r}; expected BYTES, INT64, FP32 or the like")
    except (TypeError, ValueError) as error:
        if isinstance(error, BadRequestError):
            raise
        raise BadRequestError(f"input {name!r} has a value that is no {datatype}: {error}") from None


def _rows(name: str, shape: Sequence[int], data: Sequence[Any]) -> list[list[Any]]:
    flat = _flat(data)
    rows = shape[0] if shape else 1
    if rows < 1 or len(flat) % rows:
        raise BadRequestError(f"input {name!r} has {len(flat)} values, which do not make {rows} rows")
    width = len(flat) // rows
    return [flat[i * width : (i + 1) * width] for i in range(rows)]


def _flat(values: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list | tuple):
            flat.extend(_flat(value))
        else:
            flat.append(value)
    return flat

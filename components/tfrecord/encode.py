"""Arrow columns as serialised tf.Examples, a batch at a time, with no Python per value.

The bytes are those of protobuf's deterministic serialisation (features sorted by name), so equal rows give equal bytes
everywhere; tfx_bsl's own encoder writes features in the order of a hash map, which changes from run to run.

The wire format (tensorflow/core/example/feature.proto), field numbers in brackets:
  Example{[1] Features{[1] entry{[1] name, [2] Feature{[1] BytesList | [2] FloatList | [3] Int64List {[1] values}}}}}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidegate.components.errors import ComponentError

_BINARY = pa.large_binary()
_NOTHING = pa.scalar(b"", _BINARY)
_FIELD_1, _FIELD_2, _FIELD_3 = b"\x0a", b"\x12", b"\x1a"  # length-delimited fields
_VARINT_BOUNDS = np.array([1 << (7 * i) for i in range(1, 10)], np.uint64)


def encode_examples(batch: pa.RecordBatch) -> pa.LargeBinaryArray:
    """One serialised tf.Example a row.

    Columns may be lists or single values; integers and booleans become Int64List, floats (and decimals) FloatList of
    float32, text and bytes BytesList, dates and times BytesList of ISO 8601 text. A null leaves the feature out; an
    empty list stays, as a feature without values.
    Raises: ComponentError for a column that has no tf.Example form (a struct, a nested list, a list that holds nulls).
    """
    pieces: list[pa.Array] = []
    for name, column in sorted(zip(batch.schema.names, batch.columns, strict=True), key=lambda item: item[0].encode()):
        pieces += _feature(name, column)
    if not pieces:
        return pa.array([b"\x0a\x00"] * batch.num_rows, _BINARY)
    features = _join(*pieces)
    return _join(_prefixes(_lengths(features), lambda size: _FIELD_1 + _varint(size)), features)


def _feature(name: str, column: pa.Array) -> list[pa.Array]:
    """The map entry of this feature in every row, as two arrays to be joined: what leads to the values, the values."""
    values, offsets, missing = _ragged(name, column)
    if pa.types.is_null(values.type):
        return []
    field, packed = _FIELD_1, True
    if pa.types.is_integer(values.type):
        field = _FIELD_3
        ends, data = _varints(values.to_numpy(zero_copy_only=False).astype(np.uint64))
    elif pa.types.is_floating(values.type):
        field = _FIELD_2
        raw = np.ascontiguousarray(values.to_numpy(zero_copy_only=False), "<f4")
        ends, data = np.arange(len(raw) + 1, dtype=np.int64) * 4, raw.view(np.uint8)
    else:
        packed = False
        each = _join(_prefixes(_lengths(values), lambda size: _FIELD_1 + _varint(size)), values)
        ends, data = _offsets(each), np.frombuffer(each.buffers()[2] or b"", np.uint8)
    payload = _binary(data, ends[offsets], missing)
    key = name.encode()

    def lead(size: int) -> bytes:
        inner = _FIELD_1 + _varint(size) if packed and size else b""
        listed = field + _varint(len(inner) + size) + inner
        entry = _FIELD_1 + _varint(len(key)) + key + _FIELD_2 + _varint(len(listed) + size) + listed
        return _FIELD_1 + _varint(len(entry) + size) + entry

    return [_prefixes(np.diff(ends[offsets]), lead, missing), payload]


def _ragged(name: str, column: pa.Array) -> tuple[pa.Array, NDArray[np.int64], NDArray[np.bool_] | None]:
    """(all values in a row, offsets of each row's values in them, rows without the feature)."""
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        values = column.flatten()  # leaves out what nulls hide
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        if values.null_count:
            raise ComponentError(
                f"column {name!r} has lists with nulls in them, which tf.Example cannot hold: drop or fill them"
            )
    else:
        values = column.drop_null() if missing is not None else column
        lengths = np.ones(len(column), np.int64) if missing is None else (~missing).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return plain_values(name, values), offsets, missing


def plain_values(name: str, values: pa.Array) -> pa.Array:
    """The array as one of the three types of tf.Example: int64, float32 or large_binary (or null: no value at all).

    Raises: ComponentError for a type that is none of them.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return plain_values(name, values.dictionary).take(values.indices)
    if pa.types.is_null(kind):
        return values
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        try:
            return values.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise ComponentError(f"column {name!r}: {error}; tf.Example holds 64-bit signed integers") from None
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return values.cast(pa.float64() if pa.types.is_decimal(kind) else kind).cast(pa.float32(), safe=False)
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind) and not pa.types.is_interval(kind):
        return _iso(values).cast(_BINARY)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        return values.cast(_BINARY)
    if pa.types.is_large_binary(kind):
        return values
    if pa.types.is_fixed_size_binary(kind):
        return values.cast(pa.binary()).cast(_BINARY)
    raise ComponentError(
        f"column {name!r} has type {kind}, which tf.Example cannot hold; expected numbers, booleans, text, bytes, "
        "dates or lists of these: flatten it first (a module with read_examples can)"
    )


def _iso(values: pa.Array) -> pa.Array:
    """Dates and times as ISO 8601 text; each distinct value is formatted once."""
    if not pa.types.is_timestamp(values.type):
        return values.cast(pa.string())
    coded = values.dictionary_encode()
    utc = values.type.tz is not None
    moments = (
        coded.dictionary.cast(pa.timestamp(values.type.unit)) if utc else coded.dictionary
    )  # the same moment in UTC
    text = pc.replace_substring_regex(pc.strftime(moments, "%Y-%m-%dT%H:%M:%S"), r"\.0+$", "")
    text = pc.binary_join_element_wise(text, "Z", "") if utc else text
    return text.take(coded.indices)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varints(values: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """(offsets, bytes) of the values as varints: seven bits a byte, low ones first, the top bit says `more follow`."""
    sizes = np.searchsorted(_VARINT_BOUNDS, values, side="right") + 1
    at = np.arange(int(sizes.max()) if len(sizes) else 0)
    groups = (values[:, None] >> (7 * at).astype(np.uint64)).astype(np.uint8) & 0x7F
    groups |= np.where(at < (sizes - 1)[:, None], 0x80, 0).astype(np.uint8)
    return np.concatenate([[0], np.cumsum(sizes)]), groups[at < sizes[:, None]]


def _prefixes(
    lengths: NDArray[np.int64], make: Callable[[int], bytes], missing: NDArray[np.bool_] | None = None
) -> pa.Array:
    """`make(length)` for each row; rows share few lengths, so it is called once for each of them."""
    distinct, which = np.unique(lengths, return_inverse=True)
    made = pa.array([make(int(size)) for size in distinct], _BINARY)
    return made.take(pa.array(which, mask=missing))


def _join(*arrays: pa.Array) -> pa.Array:
    """Row by row, one after the other; nulls add nothing.

    The first argument is never null, because Arrow 10 drops rows in which all are.
    """
    return pc.binary_join_element_wise(_NOTHING, *arrays, _NOTHING, null_handling="skip")


def _offsets(array: pa.Array) -> NDArray[np.int64]:
    return np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    return pc.binary_length(array).to_numpy(zero_copy_only=False)


def _binary(data: NDArray[np.uint8], offsets: NDArray[np.int64], missing: NDArray[np.bool_] | None) -> pa.Array:
    valid = None if missing is None else pa.array(~missing).buffers()[1]
    buffers: Sequence[Any] = [valid, pa.py_buffer(np.ascontiguousarray(offsets, np.int64)), pa.py_buffer(data)]
    return pa.Array.from_buffers(_BINARY, len(offsets) - 1, buffers)

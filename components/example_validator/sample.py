"""The rows that data checks look at: a digest of every row, and the columns of a bounded sample."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord import decode_examples, read_examples, read_records
from tidegate.components.tfrecord.columns import single_values

_DIGESTS = 2_000_000  # rows of a split that are compared with one another
_DECODED = 16384


@dataclass(frozen=True, slots=True)
class Rows:
    digests: NDArray[np.int64]
    columns: Mapping[str, pa.Array]
    """Features with one value at most, of the sampled rows."""


def look(files: Sequence[Path], total: int, limit: int) -> Rows:
    """Read a split of `total` rows; about `limit` of them, which their content decides, are decoded."""
    share = min(1.0, limit / max(total, 1)) * 2**32
    digests: list[int] = []
    kept: list[bytes] = []
    for file in files:
        for records in read_records(file):
            if len(digests) < _DIGESTS:
                digests += map(hash, records)
            if limit:
                kept += [record for record in records if zlib.crc32(record) < share]
    return Rows(np.array(digests, np.int64), _columns(kept, files[0]) if kept else {})


def _columns(records: list[bytes], source: Path) -> dict[str, pa.Array]:
    batches = [decode_examples(records[at : at + _DECODED], source) for at in range(0, len(records), _DECODED)]
    found: dict[str, pa.Array] = {}
    for name in sorted({name for batch in batches for name in batch.schema.names}):
        try:
            parts = [_column(name, batch) for batch in batches]
        except ComponentError:  # several values in a row: such features are no columns
            continue
        kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
        if len(kinds) == 1:
            kind = kinds.pop()
            found[name] = pa.concat_arrays([part.cast(kind) for part in parts])
    return found


def _column(name: str, batch: pa.RecordBatch) -> pa.Array:
    at = batch.schema.get_field_index(name)
    return single_values(name, batch.column(at)) if at >= 0 else pa.nulls(batch.num_rows)


def whole_column(files: Sequence[Path], name: str, kind: int) -> pa.Array:
    """One feature of all rows. `kind`: a schema_pb2.FeatureType.

    Raises: ComponentError where a row has several values.
    """
    schema = schema_pb2.Schema()
    schema.feature.add(name=name, type=kind)
    return pa.concat_arrays([single_values(name, batch.column(0)) for batch in read_examples(files, schema)])

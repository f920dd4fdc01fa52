"""The Examples artifact: a folder a split, TFX's file names in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord.decode import BYTES, FLOATS, INTS, LIST_TYPES, UnusualError, decode_columns
from tidegate.components.tfrecord.encode import encode_examples
from tidegate.components.tfrecord.records import RecordWriter, read_records

STEM = "data_tfrecord"
BATCH_ROWS = 16384
_KINDS = {1: BYTES, 2: INTS, 3: FLOATS}  # schema_pb2.FeatureType


def split_folder(examples: str | Path, split: str) -> Path:
    return Path(examples) / f"Split-{split}"


def split_names(examples: str | Path) -> list[str]:
    """Sorted. Raises: ComponentError where the folder holds no split at all."""
    names = sorted(f.name.removeprefix("Split-") for f in Path(examples).glob("Split-*") if f.is_dir())
    if not names:
        raise ComponentError(f"{examples} holds no Examples: expected folders such as Split-train in it")
    return names


def split_paths(examples: str | Path, split: str) -> list[Path]:
    """The split's TFRecord files, sorted (spans in their order).

    Raises: ComponentError that lists the splits there are.
    """
    paths = sorted(f for f in split_folder(examples, split).glob("*") if f.is_file() and not f.name.startswith("."))
    if not paths:
        raise ComponentError(
            f"{examples} has no examples of split {split!r}; its splits: {', '.join(split_names(examples))}"
        )
    return paths


class ExampleWriter:
    """Writes Arrow batches as one TFRecord file of tf.Examples; a context manager.

    The file, `<stem>-00000-of-00001.gz`, is there only once it is whole. `rows` counts what was written.
    """

    def __init__(self, folder: str | Path, stem: str = STEM) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.path = Path(folder) / f"{stem}-00000-of-00001.gz"
        self._records = RecordWriter(self.path)

    @property
    def rows(self) -> int:
        return self._records.rows

    def write(self, batch: pa.RecordBatch) -> None:
        for at in range(0, batch.num_rows, BATCH_ROWS):
            self.write_serialized(encode_examples(batch.slice(at, BATCH_ROWS)))

    def write_serialized(self, examples: pa.Array) -> None:
        """Examples that are serialised already (an Arrow array of bytes)."""
        self._records.write(examples)

    def __enter__(self) -> ExampleWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._records.__exit__(kind, error, trace)


def write_examples(
    examples: str | Path, split: str, batches: Iterable[pa.RecordBatch | pa.Table], stem: str = STEM
) -> int:
    """Write one split of an Examples artifact; returns its rows. See `encode_examples` for the types of columns."""
    with ExampleWriter(split_folder(examples, split), stem) as writer:
        for batch in batches:
            for one in batch.to_batches() if isinstance(batch, pa.Table) else [batch]:
                writer.write(one)
    return writer.rows


def read_examples(
    paths: Iterable[str | Path], schema: Any = None, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Decode TFRecord files of tf.Examples, in order.

    Columns are large_list<int64 | float | large_binary>, sorted by name; null where an example has not the feature.
    With `schema` (a schema_pb2.Schema) they are its features, in its order and of its types. Without it a batch has
    the columns that its examples have: a feature that none of them has is not there, one that is always without values
    is of type null.
    """
    for path in paths:
        for records in read_records(path, batch_rows):
            yield decode_examples(records, path, schema)


def decode_examples(records: list[bytes], source: str | Path, schema: Any = None) -> pa.RecordBatch:
    """One batch of serialised tf.Examples; see `read_examples`. Raises: ComponentError that names `source`."""
    try:
        wanted = None if schema is None else [feature.name for feature in schema.feature]
        columns = decode_columns(records, wanted)
        if schema is not None:
            columns = {one.name: _as_known(columns.get(one.name), one, len(records)) for one in schema.feature}
        if columns:  # an Arrow batch made of no columns has no rows
            return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    except (UnusualError, UnicodeDecodeError, IndexError):
        pass
    return _decoded_by_tfx(records, source, schema)


def _as_known(column: pa.Array | None, feature: Any, rows: int) -> pa.Array:
    """The column with the type that the schema gives it, all null where no row has it. Raises: UnusualError."""
    kind = LIST_TYPES.get(_KINDS.get(feature.type, 0))
    if kind is None or (column is not None and column.type not in (kind, pa.null())):
        raise UnusualError
    return pa.nulls(rows, kind) if column is None or column.type != kind else column


def _decoded_by_tfx(records: list[bytes], source: str | Path, schema: Any) -> pa.RecordBatch:
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    try:
        return ExamplesToRecordBatchDecoder(None if schema is None else schema.SerializeToString()).DecodeBatch(records)
    except RuntimeError as error:
        said = str(error).splitlines()[0]
        raise ComponentError(f"{source}: a record is no tf.Example, or a feature changes its type: {said}") from None

"""Reads tf.Examples in big batches, and keeps of them only the few columns that an evaluation looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidegate.components.errors import ComponentError
from tidegate.components.evaluator.yaml_reader import near

BATCH = 8192


def files_of(examples: str | Path, split: str) -> list[str]:
    """The split's files, sorted. Raises: ComponentError that lists the splits there are."""
    folder = Path(examples) / f"Split-{split}"
    found = sorted(str(f) for f in folder.glob("*") if f.is_file() and "tfrecord" in f.name)
    if not found:
        splits = sorted(p.name.removeprefix("Split-") for p in Path(examples).glob("Split-*"))
        raise ComponentError(
            f"{examples} has no examples of split {split!r}; its splits: {', '.join(splits) or 'none'}"
        )
    return found


def batches(files: Sequence[str], size: int = BATCH) -> Iterator[NDArray[Any]]:
    """Serialised tf.Examples, as arrays of bytes, in the files' order."""
    import tensorflow as tf

    for file in files:
        kind = "GZIP" if file.endswith(".gz") else ""
        try:
            for batch in tf.data.TFRecordDataset(file, kind).batch(size).prefetch(2):
                yield batch.numpy()
        except (tf.errors.DataLossError, tf.errors.OutOfRangeError) as error:
            raise ComponentError(f"{file} is damaged or cut short: {error.message}") from None


class Columns:
    """Collects single-valued features of a stream of batches as Arrow columns; a missing value is null.

    `wanted`: feature -> the line of the requirements file that names it, for errors.
    """

    def __init__(self, wanted: Mapping[str, int], document: str = "requirements.yaml") -> None:
        from tfx_bsl.coders import example_coder

        self._wanted = wanted
        self._document = document
        self._decoder = example_coder.ExamplesToRecordBatchDecoder()
        self._parts: dict[str, list[pa.Array]] = {name: [] for name in wanted}
        self._seen: set[str] = set()
        self.rows = 0

    def add(self, batch: NDArray[Any]) -> None:
        record = self._decoder.DecodeBatch(batch.tolist())
        names = record.schema.names
        self._seen.update(names)
        for name, parts in self._parts.items():
            parts.append(
                self._scalars(name, record.column(names.index(name))) if name in names else pa.nulls(len(batch))
            )
        self.rows += len(batch)

    def _scalars(self, name: str, column: pa.Array) -> pa.Array:
        if pa.types.is_null(column.type):
            return column
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        if lengths.size and lengths.max() > 1:
            raise ComponentError(
                f"{self._document} line {self._wanted[name]}: {name!r} has {lengths.max()} values in an example; "
                "labels, slices and references need features with a single value"
            )
        return column.flatten().take(pa.array(np.cumsum(lengths) - 1, mask=lengths == 0))

    def table(self) -> dict[str, pa.Array]:
        """feature -> Arrow array of `rows` values.

        Raises: ComponentError for a feature that no example has.
        """
        return {name: self._whole(name, parts) for name, parts in self._parts.items()}

    def _whole(self, name: str, parts: list[pa.Array]) -> pa.Array:
        types = {p.type for p in parts if not pa.types.is_null(p.type)}
        if not types:
            known = sorted(self._seen)
            raise ComponentError(
                f"{self._document} line {self._wanted[name]}: no example has the feature {name!r}{near(name, known)}"
            )
        if len(types) > 1:
            raise ComponentError(f"feature {name!r} has different types in the examples: {', '.join(map(str, types))}")
        kind = types.pop()
        return pa.chunked_array([p.cast(kind) for p in parts], type=kind).combine_chunks()


def collect(files: Iterable[str], wanted: Mapping[str, int]) -> dict[str, pa.Array]:
    """Only the columns of these files."""
    columns = Columns(wanted)
    for batch in batches(list(files)):
        columns.add(batch)
    if not columns.rows:
        raise ComponentError(f"no examples in {', '.join(files)}: the split is empty")
    return columns.table()


def plain(value: Any) -> Any:
    """Bytes as text where they are text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def groups(columns: Sequence[pa.Array]) -> tuple[NDArray[np.int64], list[tuple[Any, ...]]]:
    """Number the distinct combinations of values: (row -> number, number -> values); a null makes the number -1."""
    rows = len(columns[0])
    codes, names = np.zeros(rows, np.int64), []
    missing = np.zeros(rows, bool)
    for column in columns:
        encoded = column.dictionary_encode()
        index = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        missing |= index < 0
        names.append([plain(v) for v in encoded.dictionary.to_pylist()])
        codes = codes * max(len(names[-1]), 1) + index
    distinct, number = np.unique(codes[~missing], return_inverse=True)
    numbers = np.full(rows, -1, np.int64)
    numbers[~missing] = number
    values: list[tuple[Any, ...]] = []
    for code in distinct.tolist():
        parts = []
        for known in reversed(names):
            code, at = divmod(code, max(len(known), 1))
            parts.append(known[at])
        values.append(tuple(reversed(parts)))
    return numbers, values

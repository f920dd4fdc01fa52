"""DataAccessor: tf.data of examples as TFX's own gives it, from memory where it fits.

TFX reads, inflates and parses every example again in every epoch. Where all features are dense and the split is small
enough, it is decoded once, shuffled as a whole (TFX shuffles within a buffer) and gathered by batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public import tfxio

from tidegate.components.errors import ComponentError
from tidegate.components.transform.inputs import Adapter

IN_MEMORY_BYTES = 1 << 30
_GROWTH = 12  # bytes in memory for a byte of gzip, at a guess that is high
_TELEMETRY = ["tidegate"]
Options = tfxio.TensorFlowDatasetOptions


def factory(evaluated: Sequence[str]) -> Callable[..., tf.data.Dataset]:
    """`DataAccessor.tf_dataset_factory`; `evaluated`: the patterns of examples that nothing is learned from."""

    def dataset(
        file_pattern: Sequence[str] | str, options: Options, schema: schema_pb2.Schema | None = None
    ) -> tf.data.Dataset:
        """Batches of features, or of (features, label) where options.label_key is set.

        Raises: ComponentError for a pattern without files, a label that is not there, or one that never changes.
        """
        files = files_of(file_pattern)
        if schema is None:
            return _source(files, schema).TensorFlowDataset(options)
        adapter = Adapter(schema)
        known = ", ".join(sorted(adapter.specs))
        if options.label_key is not None and options.label_key not in adapter.specs:
            raise ComponentError(f"label_key {options.label_key!r} is no feature; there are: {known}")
        if not _fits(adapter, files):
            return _source(files, schema).TensorFlowDataset(options)
        columns = _columns(adapter, files)
        if options.label_key is not None:
            said = _constant_label(columns[options.label_key], options.label_key, files)
            if said and list(file_pattern) != list(evaluated):
                raise ComponentError(said)
            if said:
                print(f"warning: {said}")
        return _batches(columns, options)

    return dataset


def _fits(adapter: Adapter, files: Sequence[Path]) -> bool:
    dense = all(isinstance(spec, tf.TensorSpec) for spec in adapter.specs.values())
    return dense and sum(file.stat().st_size for file in files) * _GROWTH <= IN_MEMORY_BYTES


def record_batches(
    patterns: Sequence[str] | str, options: tfxio.RecordBatchesOptions, schema: schema_pb2.Schema | None = None
) -> Iterator[pa.RecordBatch]:
    """`DataAccessor.record_batch_factory`."""
    found: Iterator[pa.RecordBatch] = _source(files_of(patterns), schema).RecordBatches(options)
    return found


def files_of(patterns: Sequence[str] | str) -> list[Path]:
    """Raises: ComponentError where nothing matches."""
    given = [patterns] if isinstance(patterns, str) else list(patterns)
    files = sorted({Path(one) for pattern in given for one in tf.io.gfile.glob(pattern)})
    if not files:
        raise ComponentError(f"no file matches {', '.join(map(str, given))}")
    return files


def _source(files: Sequence[Path], schema: schema_pb2.Schema | None) -> Any:
    return tfxio.TFExampleRecord([str(file) for file in files], schema=schema, telemetry_descriptors=_TELEMETRY)


def _columns(adapter: Adapter, files: Sequence[Path]) -> dict[str, tf.Tensor]:
    parts: dict[str, list[Any]] = {name: [] for name in adapter.specs}
    for file in files:
        for tensors in adapter.batches(file):
            for name, tensor in tensors.items():
                parts[name].append(tensor)
    if not any(parts.values()):
        raise ComponentError(f"{', '.join(map(str, files))}: no examples to train on")
    return {name: tf.concat(part, 0) for name, part in parts.items()}


def _constant_label(label: tf.Tensor, name: str, files: Sequence[Path]) -> str:
    """What to say of a label that has one value alone; empty where it has more."""
    flat = tf.reshape(label, [-1])
    if len(flat) < 2 or not bool(tf.reduce_all(flat == flat[0])):
        return ""
    return (
        f"label {name!r} is {flat[0].numpy()} in all {len(label)} examples of {files[0].parent.name}: nothing can be "
        "learned from it; look at how the label is made, and at the split (by time, or by a column that decides it?)"
    )


def _batches(columns: Mapping[str, Any], options: Options) -> tf.data.Dataset:
    """Same order of steps as tfx_bsl's make_tf_record_dataset: shuffle, repeat, batch."""
    rows = len(next(iter(columns.values())))
    found = tf.data.Dataset.range(rows)
    if options.shuffle:
        found = found.shuffle(rows, options.shuffle_seed, reshuffle_each_iteration=True)
    if options.num_epochs != 1:
        found = found.repeat(options.num_epochs)
    found = found.batch(options.batch_size, drop_remainder=options.drop_final_batch or options.num_epochs is None)

    def gather(picked: tf.Tensor) -> Any:
        features = {name: tf.gather(column, picked) for name, column in columns.items()}
        return features if options.label_key is None else (features, features.pop(options.label_key))

    return found.map(gather, num_parallel_calls=1).prefetch(tf.data.AUTOTUNE)

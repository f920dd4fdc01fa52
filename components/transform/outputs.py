"""The artifacts of transform: TFX's TransformGraph, transformed examples and their statistics."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import DatasetMetadata, TFTransformOutput
from tensorflow_transform.impl_helper import make_tensor_to_arrow_converter
from tensorflow_transform.tf_metadata import metadata_io

from tidegate.components.progress import report
from tidegate.components.statistics_gen.compute import of_batches
from tidegate.components.statistics_gen.files import write_statistics
from tidegate.components.tfrecord import ExampleWriter, split_folder
from tidegate.components.transform.inputs import Adapter
from tidegate.components.transform.job import Job
from tidegate.components.transform.preprocessing import Applied

STEM = "transformed_examples"


def write_metadata(
    graph: Path, raw: schema_pb2.Schema, transformed: schema_pb2.Schema, assets: Mapping[str, str]
) -> None:
    """metadata/ (of the input) and transformed_metadata/ beside transform_fn/."""
    metadata_io.write_metadata(DatasetMetadata(raw), str(graph / TFTransformOutput.RAW_METADATA_DIR))
    folder = graph / TFTransformOutput.TRANSFORMED_METADATA_DIR
    metadata_io.write_metadata(DatasetMetadata(transformed), str(folder))
    if assets:
        (folder / TFTransformOutput.ASSET_MAP).write_text(json.dumps(assets, sort_keys=True), encoding="utf-8")


def write_split(job: Job, split: str, adapter: Adapter, apply: Applied, schema: schema_pb2.Schema) -> int:
    """Transform one split and compute its statistics, in one pass; returns its rows."""
    converter = make_tensor_to_arrow_converter(schema)
    with ExampleWriter(split_folder(job.examples, split), STEM) as writer:

        def written() -> Iterator[pa.RecordBatch]:
            for batch in _transformed(job.paths[split], adapter, apply, converter):
                writer.write(batch)
                report(f"{split}: {writer.rows} rows transformed")
                yield batch

        found = of_batches(written(), schema, split)
    if found is not None:
        write_statistics(job.statistics, split, found)
    return writer.rows


def _transformed(paths: Iterable[Path], adapter: Adapter, apply: Applied, converter: Any) -> Iterator[pa.RecordBatch]:
    for path in paths:
        for tensors in adapter.batches(path):
            yield converter.convert(dict(apply(tensors)))

"""TFDV's statistics of one split, without Beam where the data is on this machine."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx_bsl.arrow import table_util

from tidegate.components.errors import ComponentError
from tidegate.components.progress import report
from tidegate.components.tfrecord import decode_examples, read_records

_DECODED = 16384  # rows that are decoded together
_COUNTED = 4  # decoded batches that TFDV takes together


def in_memory(
    files: Sequence[Path], schema: schema_pb2.Schema | None = None, sample_rate: float = 1.0, called: str = ""
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The statistics of all examples in `files`, by TFDV's own in-memory generators, batch after batch.

    `sample_rate`: the share of rows to look at; the rows' content decides which, so the choice never changes.
    Raises: ComponentError where there is no row.
    """
    found = of_batches(_batches(files, sample_rate), schema, called)
    if found is None:
        raise ComponentError(
            f"no rows in {', '.join(map(str, files))}" + (f" at {sample_rate=}" if sample_rate < 1 else "")
        )
    return found


def of_batches(
    batches: Iterable[pa.RecordBatch], schema: schema_pb2.Schema | None = None, called: str = ""
) -> statistics_pb2.DatasetFeatureStatisticsList | None:
    """The same of batches that are in memory already; None where there is no row."""
    generators = stats_impl.get_generators(tfdv.StatsOptions(schema=schema), in_memory=True)
    found = [generator.create_accumulator() for generator in generators]
    rows = 0
    for batch in batches:
        with np.errstate(invalid="ignore"):  # infinite values have no mean; TFDV says so in its numbers
            found = [g.add_input(so_far, batch) for g, so_far in zip(generators, found, strict=True)]
        rows += batch.num_rows
        report(f"{called}: {rows} rows")
    return stats_impl.extract_statistics_output(found, generators) if rows else None


def _batches(files: Sequence[Path], sample_rate: float) -> Iterator[pa.RecordBatch]:
    waiting: list[pa.RecordBatch] = []
    for file in files:
        for records in read_records(file, _DECODED):
            kept = records if sample_rate >= 1 else [r for r in records if zlib.crc32(r) < sample_rate * 2**32]
            if kept:
                waiting.append(decode_examples(kept, file))
            if len(waiting) == _COUNTED:
                yield table_util.MergeRecordBatches(waiting)
                waiting = []
    if waiting:
        yield table_util.MergeRecordBatches(waiting)


def with_beam(
    files: Sequence[Path],
    beam_pipeline_args: Sequence[str],
    schema: schema_pb2.Schema | None = None,
    sample_rate: float = 1.0,
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The same by a Beam pipeline, on the runner that `beam_pipeline_args` name."""
    from apache_beam.options.pipeline_options import PipelineOptions

    options = tfdv.StatsOptions(schema=schema, sample_rate=sample_rate if sample_rate < 1 else None)
    with tempfile.TemporaryDirectory() as folder:
        made: Any = tfdv.generate_statistics_from_tfrecord(
            data_location=str(files[0].parent / "*-of-*"),
            output_path=str(Path(folder) / "statistics.pb"),
            stats_options=options,
            pipeline_options=PipelineOptions(list(beam_pipeline_args)),
        )
    return made

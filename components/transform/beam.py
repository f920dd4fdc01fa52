"""The same by Beam: for data beyond one machine, and for analyzers that are Beam transforms themselves."""

from __future__ import annotations

import time
from collections.abc import Sequence

import apache_beam as beam
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_transform.tf_metadata import metadata_io
from tfx_bsl.public import tfxio

from tidegate.components.statistics_gen.work import generate_statistics
from tidegate.components.tfrecord import split_folder
from tidegate.components.transform.job import Job, Transformed
from tidegate.components.transform.outputs import STEM
from tidegate.components.transform.saved_model import normalise


def with_beam(job: Job, beam_pipeline_args: Sequence[str]) -> Transformed:
    """TFT's own Beam pipeline on the runner that `beam_pipeline_args` name (default: the direct runner)."""
    started = time.monotonic()
    options = PipelineOptions([*beam_pipeline_args])
    with (
        beam.Pipeline(options=options) as pipeline,
        tft_beam.Context(temp_dir=str(job.folder), force_tf_compat_v1=False),
    ):
        read = {}
        for split, files in job.paths.items():
            source = tfxio.TFExampleRecord(
                [str(f) for f in files], schema=job.schema, telemetry_descriptors=["tidegate"]
            )
            read[split] = pipeline | f"Read {split}" >> source.BeamSource()
            config = source.TensorAdapterConfig()
        to_analyze = [read[split] for split in job.analyze_splits] | "Flatten" >> beam.Flatten()
        transform_fn = (to_analyze, config) | tft_beam.AnalyzeDataset(job.function)
        _ = transform_fn | tft_beam.WriteTransformFn(str(job.graph))
        for split, data in read.items():
            applied = ((data, config), transform_fn) | f"Transform {split}" >> tft_beam.TransformDataset(
                output_record_batches=True
            )
            target = split_folder(job.examples, split)
            target.mkdir(parents=True, exist_ok=True)
            _ = (
                applied
                | f"Encode {split}" >> tft_beam.EncodeTransformedDataset()
                | f"Write {split}" >> beam.io.WriteToTFRecord(str(target / STEM), file_name_suffix=".gz")
            )
    normalise(job.graph / tft.TFTransformOutput.TRANSFORM_FN_DIR, job.folder)
    metadata_io.write_metadata(tft.DatasetMetadata(job.schema), str(job.graph / tft.TFTransformOutput.RAW_METADATA_DIR))
    rows = generate_statistics(job.examples, job.statistics, beam_pipeline_args=beam_pipeline_args)
    features = len(tft.TFTransformOutput(str(job.graph)).transformed_metadata.schema.feature)
    return Transformed(rows, features, "beam", seconds={"all": round(time.monotonic() - started, 3)})

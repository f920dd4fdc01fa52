"""What schema_gen and schema_importer do: a schema from the data, or a curated one beside what the data says."""

from __future__ import annotations

from pathlib import Path

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from tidegate.components.schema_gen.differences import Difference, differences
from tidegate.components.schema_gen.files import parse_schema, write_schema
from tidegate.components.statistics_gen.files import read_statistics


def infer_schema(statistics: str | Path, schema: str | Path, infer_feature_shape: bool = True) -> schema_pb2.Schema:
    """Write the Schema artifact `schema`: from the train split, widened by what the others hold, as TFX does."""
    found = _inferred(statistics, infer_feature_shape)
    write_schema(schema, found)
    print(f"{len(found.feature)} features, {len(found.string_domain)} of them with a list of values")
    return found


def import_schema(text: str, schema: str | Path, statistics: str | Path | None = None) -> list[Difference]:
    """Write the curated schema `text` as the artifact `schema`; returns where the data differs.

    Raises: ComponentError, with the line, for text that is no schema.
    """
    required = parse_schema(text, "schema_text")
    found = differences(required, _inferred(statistics, True)) if statistics else []
    write_schema(schema, required)
    print(f"{len(required.feature)} features; {len(found)} differences to the data")
    for one in found:
        print(f"  {one}")
    return found


def _inferred(statistics: str | Path, infer_feature_shape: bool) -> schema_pb2.Schema:
    splits = list(read_statistics(statistics).values())
    schema = tfdv.infer_schema(splits[0], infer_feature_shape)
    for others in splits[1:]:
        schema = tfdv.update_schema(schema, others, infer_feature_shape)
    return schema

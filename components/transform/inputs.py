"""Raw examples as the tensors that a preprocessing_fn takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder
from tfx_bsl.tfxio.tensor_adapter import TensorAdapter, TensorAdapterConfig
from tfx_bsl.tfxio.tensor_representation_util import InferTensorRepresentationsFromMixedSchema

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord import read_examples

BATCH_ROWS = 8192


class Adapter:
    """Decodes tf.Examples by the schema and makes tensors of them, by TFX's rules (dense, sparse, ragged)."""

    def __init__(self, schema: schema_pb2.Schema) -> None:
        """Raises: ComponentError where the schema gives no feature a tensor."""
        self._schema = schema
        try:
            representations = InferTensorRepresentationsFromMixedSchema(schema)
        except ValueError as error:
            raise ComponentError(f"the schema says not how its features become tensors: {error}") from None
        if not representations:
            raise ComponentError("the schema has no feature: nothing to transform")
        self.config = TensorAdapterConfig(
            ExamplesToRecordBatchDecoder(schema.SerializeToString()).ArrowSchema(), representations
        )
        self._adapter = TensorAdapter(self.config)
        self.specs: dict[str, tf.TypeSpec] = self._adapter.OriginalTypeSpecs()

    def batches(self, path: Path, batch_rows: int = BATCH_ROWS) -> Iterator[dict[str, Any]]:
        """Raises: ComponentError for a record that is no tf.Example, or does not fit the schema."""
        for batch in read_examples([path], self._schema, batch_rows):
            try:
                tensors: dict[str, Any] = self._adapter.ToBatchTensors(batch, produce_eager_tensors=True)
            except (RuntimeError, ValueError, pa.ArrowInvalid) as error:
                said = str(error).splitlines()[0]
                raise ComponentError(
                    f"{path} does not fit the schema: {said}; example_validator lists the anomalies of the data"
                ) from None
            yield tensors


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of one split."""

    key: str
    """Its name and the digest of its content: what the analyzer cache goes by."""
    path: Path


def shards(paths: Sequence[Path], split: str) -> list[Shard]:
    found = []
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        stem = path.name.partition("-of-")[0]
        found.append(Shard(f"{split}-{stem}-{digest[:24]}", path))
    return found

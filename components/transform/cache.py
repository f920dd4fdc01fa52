"""The TransformCache artifact: what analyzers accumulated of each shard, so that the next span costs only its own.

A folder a shard, named by the digest of its content; in it a TFRecord file an analyzer, named by the digest of TFT's
key: its first record is that key (a hash of the graph that leads to the analyzer), the others are the encoded
accumulators.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
from tensorflow_transform.beam.analyzer_cache import DatasetKey

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord import RecordWriter, read_records

Entries = Mapping[DatasetKey, Mapping[bytes, list[bytes]]]


def read(folder: str | Path, shards: Iterable[DatasetKey]) -> dict[DatasetKey, dict[bytes, list[bytes]]]:
    """What the cache has of these shards; an entry that is damaged is as one that is not there."""
    found: dict[DatasetKey, dict[bytes, list[bytes]]] = {}
    for shard in shards:
        entries = found.setdefault(shard, {})
        for file in sorted((Path(folder) / shard.key).glob("*.gz")):
            try:
                key, *accumulators = [record for batch in read_records(file) for record in batch]
            except (ComponentError, ValueError) as error:
                print(f"analyzer cache: {file.name} is left out: {error}")
                continue
            entries[key] = accumulators
    return found


def write(folder: str | Path, entries: Entries) -> None:
    for shard, analyzers in entries.items():
        target = Path(folder) / shard.key
        target.mkdir(parents=True, exist_ok=True)
        for key, accumulators in analyzers.items():
            with RecordWriter(target / f"{hashlib.sha256(key).hexdigest()[:32]}.gz") as out:
                out.write(pa.array([key, *accumulators], pa.large_binary()))

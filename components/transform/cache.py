"""The TransformCache artifact: what analyzers found in each shard, so that a new span costs only its own analysis.

<shard>/<n>.gz      TFRecords: an analyzer's encoded accumulators
<shard>/keys.json   which analyzer each is of: TFT's hash of the graph that leads to it, base64
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from tensorflow_transform.beam.analyzer_cache import DatasetKey

from tidegate.components.tfrecord import RecordWriter, read_records
from tidegate.components.transform.in_memory import Cache

_KEYS = "keys.json"


def read_cache(folder: str | Path | None, shards: Iterable[str]) -> Cache:
    """What the artifact holds of these shards; what it does not hold is computed."""
    found: Cache = {}
    for shard in shards:
        keys = Path(folder, shard, _KEYS) if folder else None
        if keys is None or not keys.is_file():
            continue
        found[DatasetKey(shard)] = {
            base64.b64decode(key): [record for batch in read_records(keys.parent / name) for record in batch]
            for name, key in json.loads(keys.read_text(encoding="utf-8")).items()
        }
    return found


def write_cache(folder: str | Path, cache: Cache) -> None:
    """Write the artifact anew."""
    for shard, entries in sorted(cache.items(), key=lambda item: str(item[0].key)):
        target = Path(folder, str(shard.key))
        target.mkdir(parents=True, exist_ok=True)
        keys = {}
        for number, (key, accumulators) in enumerate(sorted(entries.items())):
            name = f"{number:03}.gz"
            with RecordWriter(target / name) as writer:
                writer.write(pa.array(list(accumulators), pa.large_binary()))
            keys[name] = base64.b64encode(key).decode()
        (target / _KEYS).write_text(json.dumps(keys, indent=1), encoding="utf-8")

"""The ExampleStatistics artifact: a folder a split, with TFX's FeatureStats.pb and our summary.json."""

from __future__ import annotations

import json
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import statistics_pb2

from tidegate.components.errors import ComponentError
from tidegate.components.statistics_gen.summary import summarise
from tidegate.components.tfrecord import split_folder, split_names

FILE = "FeatureStats.pb"


def write_statistics(
    statistics: str | Path, split: str, found: statistics_pb2.DatasetFeatureStatisticsList
) -> dict[str, object]:
    """Write one split; returns its summary."""
    folder = split_folder(statistics, split)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(found.SerializeToString(deterministic=True))
    summary = summarise(found, split)
    (folder / "summary.json").write_text(
        json.dumps(summary, indent=1, sort_keys=True, allow_nan=False), encoding="utf-8"
    )
    return summary


def read_statistics(statistics: str | Path) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """Split -> statistics; `train` comes first, where there is one.

    Raises: ComponentError for a folder that holds none, or a file that cannot be read.
    """
    found = {}
    for split in sorted(split_names(statistics), key=lambda name: (name != "train", name)):
        file = split_folder(statistics, split) / FILE
        try:
            found[split] = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes())
        except FileNotFoundError:
            raise ComponentError(f"{file} does not exist; expected the output of statistics_gen") from None
        except DecodeError:
            raise ComponentError(f"{file} is damaged: it holds no statistics") from None
        if not found[split].datasets:
            raise ComponentError(f"{file} holds no statistics")
    return found

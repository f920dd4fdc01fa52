"""TFDV's statistics as plain JSON, for people and the report. Pure."""

from __future__ import annotations

import math
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

_TYPES = statistics_pb2.FeatureNameStatistics.Type.Name
_TOP = 20


def summarise(statistics: statistics_pb2.DatasetFeatureStatisticsList, split: str) -> dict[str, Any]:
    """`{"split", "rows", "features": [...]}`, features by name; numbers are finite or null."""
    dataset = statistics.datasets[0]
    features = sorted((_feature(f, dataset.num_examples) for f in dataset.features), key=lambda one: str(one["name"]))
    return {"split": split, "rows": int(dataset.num_examples), "features": features}


def _feature(feature: statistics_pb2.FeatureNameStatistics, rows: int) -> dict[str, Any]:
    kind = feature.WhichOneof("stats")
    common = getattr(feature, kind).common_stats if kind else statistics_pb2.CommonStatistics()
    found: dict[str, Any] = {
        "name": ".".join(feature.path.step) or feature.name,
        "type": _TYPES(feature.type),
        "missing": int(rows - common.num_non_missing),
        "presence": common.num_non_missing / rows if rows else 0.0,
    }
    if kind == "num_stats":
        found |= _numeric(feature.num_stats)
    elif kind == "string_stats":
        found |= {"unique": int(feature.string_stats.unique), "top": _top(feature.string_stats)}
    elif kind == "bytes_stats":
        found["unique"] = int(feature.bytes_stats.unique)
    return found


def _numeric(stats: statistics_pb2.NumericStatistics) -> dict[str, Any]:
    found: dict[str, Any] = {
        "mean": finite(stats.mean),
        "std": finite(stats.std_dev),
        "min": finite(stats.min),
        "max": finite(stats.max),
        "median": finite(stats.median),
        "zeros": int(stats.num_zeros),
    }
    for histogram in stats.histograms:
        if histogram.type == statistics_pb2.Histogram.STANDARD:
            found["histogram"] = [
                {"low": finite(b.low_value), "high": finite(b.high_value), "count": finite(round(b.sample_count, 3))}
                for b in histogram.buckets
            ]
    return found


def _top(stats: statistics_pb2.StringStatistics) -> list[dict[str, Any]]:
    """The most frequent values, most frequent first."""
    buckets = stats.rank_histogram.buckets
    return [{"value": b.label, "count": finite(b.sample_count)} for b in list(buckets)[:_TOP]]


def finite(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value

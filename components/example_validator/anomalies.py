"""TFDV's validation of one split: anomalies, and the distances to the previous and to serving data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from tidegate.components.errors import ComponentError
from tidegate.components.example_validator.policy import Anomaly

DISTANCES = {"l_infinity": 0.1, "jensen_shannon": 0.1}
"""The bounds where the schema has none: L-infinity for text, Jensen-Shannon for numbers."""
_MEASURES = {"L_INFTY": "l_infinity", "JENSEN_SHANNON_DIVERGENCE": "jensen_shannon"}
_Statistics = statistics_pb2.DatasetFeatureStatisticsList


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a feature's distribution is from another's."""

    split: str
    feature: str
    measure: str
    """`l_infinity`, `jensen_shannon` or `normalized_absolute_difference`."""
    value: float
    bound: float
    against: str
    """`previous` or `serving`."""


def validate(
    split: str,
    statistics: _Statistics,
    schema: schema_pb2.Schema,
    environment: str = "",
    previous: _Statistics | None = None,
    serving: _Statistics | None = None,
) -> tuple[anomalies_pb2.Anomalies, list[Anomaly], list[Distance]]:
    """TFDV's own message, and the same as records. `schema` holds the bounds of distances (see `with_bounds`).

    Raises: ComponentError for an environment that the schema does not know.
    """
    known = sorted(
        {*schema.default_environment, *(e for f in schema.feature for e in (*f.in_environment, *f.not_in_environment))}
    )
    if environment and environment not in known:
        raise ComponentError(f"environment {environment!r} is not in the schema; it has: {', '.join(known) or 'none'}")
    found = tfdv.validate_statistics(statistics, schema, environment or None, previous, serving)
    return found, _anomalies(split, found), _distances(split, found)


def _anomalies(split: str, found: anomalies_pb2.Anomalies) -> list[Anomaly]:
    entries = [(".".join(info.path.step) or name, info) for name, info in sorted(found.anomaly_info.items())]
    if found.HasField("dataset_anomaly_info"):
        entries.append(("", found.dataset_anomaly_info))
    return [
        Anomaly(
            split=split,
            feature=name,
            kind=anomalies_pb2.AnomalyInfo.Type.Name(reason.type),
            short=reason.short_description,
            description=reason.description,
            severity=anomalies_pb2.AnomalyInfo.Severity.Name(info.severity),
            drift=reason.short_description.endswith("current and previous"),
        )
        for name, info in entries
        for reason in info.reason
    ]


def _distances(split: str, found: anomalies_pb2.Anomalies) -> list[Distance]:
    distances = []
    for info in found.drift_skew_info:
        feature = ".".join(info.path.step)
        for against, measured in (("previous", info.drift_measurements), ("serving", info.skew_measurements)):
            for one in measured:
                kind = anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(one.type)
                measure = _MEASURES.get(kind, kind.lower())
                distances.append(Distance(split, feature, measure, one.value, one.threshold, against))
    return sorted(distances, key=lambda one: (one.feature, one.against, one.measure))


def with_bounds(
    schema: schema_pb2.Schema,
    statistics: _Statistics,
    previous: tuple[_Statistics | None, Mapping[str, float]],
    serving: tuple[_Statistics | None, Mapping[str, float]],
) -> schema_pb2.Schema:
    """A copy of the schema with a comparator for each feature that both sides have; the schema's own ones are kept.

    `previous`, `serving`: the statistics to compare with, and the bounds (`l_infinity`, `jensen_shannon`) to set.
    Raises: ComponentError for another key, or a bound outside [0, 1].
    """
    made = schema_pb2.Schema()
    made.CopyFrom(schema)
    here = _kinds(statistics)
    for (other, asked), field in ((previous, "drift_comparator"), (serving, "skew_comparator")):
        for name, bound in asked.items():
            if name not in DISTANCES or not isinstance(bound, int | float) or not 0 <= bound <= 1:
                raise ComponentError(f"checks: bound {name}: {bound!r}; expected l_infinity or jensen_shannon, 0 to 1")
        there, bounds = _kinds(other), {**DISTANCES, **asked}
        for feature in made.feature:
            kind = here.get(feature.name)
            if kind != there.get(feature.name) or feature.HasField(field):
                continue
            if kind == "string_stats":
                getattr(feature, field).infinity_norm.threshold = bounds["l_infinity"]
            elif kind == "num_stats":
                getattr(feature, field).jensen_shannon_divergence.threshold = bounds["jensen_shannon"]
    return made


def _kinds(statistics: _Statistics | None) -> dict[str, str | None]:
    """Feature -> `num_stats`, `string_stats`, ..., of the features that have values."""
    if statistics is None:
        return {}
    found = {}
    for feature in statistics.datasets[0].features:
        kind = feature.WhichOneof("stats")
        if kind and feature.path.step and getattr(feature, kind).common_stats.num_non_missing:
            found[feature.path.step[0]] = kind
    return found


def same_split(statistics: Mapping[str, _Statistics], split: str) -> Any:
    """The split to compare with: the one of the same name, else the first."""
    return statistics.get(split) or next(iter(statistics.values()))

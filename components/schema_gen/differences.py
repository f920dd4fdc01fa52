"""What a curated schema asks for and what the data says, feature by feature. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

_TYPE = schema_pb2.FeatureType.Name
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Difference:
    feature: str
    what: str
    """`feature`, `type`, `presence`, `domain` or `shape`."""
    required: str
    found: str

    def __str__(self) -> str:
        return f"{self.feature}: {self.what}: the schema says {self.required}, the data {self.found}"


def differences(required: schema_pb2.Schema, inferred: schema_pb2.Schema) -> list[Difference]:
    """By feature name. A schema that is looser than the data (a wider domain, a lower presence) does not differ."""
    asked = {feature.name: feature for feature in required.feature}
    there = {feature.name: feature for feature in inferred.feature}
    found: list[Difference] = []
    for name in sorted(asked.keys() | there.keys()):
        if name not in there:
            if asked[name].presence.min_fraction > 0 or asked[name].presence.min_count > 0:
                found.append(Difference(name, "feature", "it must be there", "it is not"))
        elif name not in asked:
            found.append(Difference(name, "feature", "nothing of it", f"it is there, {_TYPE(there[name].type)}"))
        else:
            found += _of_feature(name, asked[name], there[name], required, inferred)
    return found


def _of_feature(
    name: str,
    asked: schema_pb2.Feature,
    there: schema_pb2.Feature,
    required: schema_pb2.Schema,
    inferred: schema_pb2.Schema,
) -> list[Difference]:
    found = []
    if asked.type not in (there.type, schema_pb2.TYPE_UNKNOWN):
        found.append(Difference(name, "type", _TYPE(asked.type), _TYPE(there.type)))
    if asked.presence.min_fraction > there.presence.min_fraction:
        said = f"in some rows missing (min_fraction {there.presence.min_fraction:g})"
        found.append(Difference(name, "presence", f"min_fraction {asked.presence.min_fraction:g}", said))
    if _single(asked) and not _single(there):
        found.append(Difference(name, "shape", "a single value", "several values, or none"))
    wanted, values = _values(asked, required), _values(there, inferred)
    if wanted and not values and there.type == schema_pb2.BYTES:
        found.append(Difference(name, "domain", f"{len(wanted)} values", "too many values to list"))
    new = sorted(values - wanted) if wanted else []
    if new:
        more = f" and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
        found.append(Difference(name, "domain", f"{len(wanted)} values", f"also {', '.join(new[:_SHOWN])}{more}"))
    return found


def _single(feature: schema_pb2.Feature) -> bool:
    fixed = feature.HasField("shape") and all(d.size == 1 for d in feature.shape.dim)
    return fixed or (feature.value_count.min == 1 and feature.value_count.max == 1)


def _values(feature: schema_pb2.Feature, schema: schema_pb2.Schema) -> set[str]:
    if feature.HasField("string_domain"):
        return set(feature.string_domain.value)
    return next((set(d.value) for d in schema.string_domain if d.name == feature.domain and feature.domain), set())

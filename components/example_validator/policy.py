"""Which anomalies stop the pipeline: the named policies. Pure; README.md has the same table in words."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.components.errors import ComponentError

POLICIES = ("strict", "errors", "structure", "warn", "off")

_VALUES = frozenset(
    f"{feature}_TYPE_{what}"
    for feature, kinds in {
        "BOOL": ("BIG_INT", "SMALL_INT", "UNEXPECTED_STRING", "UNEXPECTED_FLOAT"),
        "ENUM": ("UNEXPECTED_STRING_VALUES",),
        "FEATURE": ("HIGH_UNIQUE", "LOW_UNIQUE", "NO_UNIQUE"),
        "FLOAT": ("BIG_FLOAT", "SMALL_FLOAT", "HAS_NAN", "HAS_INF"),
        "INT": ("BIG_INT", "SMALL_INT"),
    }.items()
    for what in kinds
)
_ABOUT_VALUES = ("COMPARATOR_", "DATASET_", "SEQUENCE_VALUE_", "FEATURE_COVERAGE_", "LOW_SUPPORTED_IMAGE_")
"""Prefixes of further kinds that say something of values, distances and sizes, not of the data's structure."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One reason of TFDV's: what is wrong with a feature (or, without a feature, with the whole split)."""

    split: str
    feature: str
    kind: str
    """TFDV's name of it: an AnomalyInfo.Type."""
    short: str
    description: str
    severity: str
    """ERROR or WARNING."""
    drift: bool = False
    """A distance to the previous span's data; a distance to serving data is not drift, but skew."""


def check_policy(policy: str) -> None:
    """Raises: ComponentError for a policy that does not exist."""
    if policy not in POLICIES:
        raise ComponentError(f"policy is {policy!r}; expected one of {', '.join(POLICIES)}")


def blocks(policy: str, anomaly: Anomaly) -> bool:
    """Whether this anomaly stops the pipeline."""
    if policy == "strict":
        return True
    if policy in ("warn", "off") or anomaly.severity != "ERROR" or anomaly.drift:
        return False
    return policy == "errors" or not (anomaly.kind in _VALUES or anomaly.kind.startswith(_ABOUT_VALUES))


def check_blocks(policy: str, verdict: str) -> bool:
    """The same of a data check's verdict."""
    return (policy == "strict" and verdict != "ok") or (policy == "errors" and verdict == "fail")

"""What is seen of running models at one instant: cumulative counts as processes report them, and the routing in force.

Adapters hand over raw, cumulative figures; resets, restarts, duplicates and late reports are `windows`' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STABLE, CANARY = "stable", "canary"
"""The two roles a model has in a rollout."""


@dataclass(frozen=True, slots=True)
class Tally:
    """`hits` of `total`: errors of requests, agreeing answers of compared ones."""

    total: float
    hits: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between bounds: `counts[i]` values in (bounds[i-1], bounds[i]], the last above all bounds."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Moments:
    """Of a reward: how many values, their sum, the sum of their squares."""

    count: float
    total: float
    squares: float


@dataclass(frozen=True, slots=True)
class Categories:
    """Counts of categories."""

    counts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number as it is now (a PromQL query's)."""

    value: float


Value = Tally | Histogram | Moments | Categories | Gauge


@dataclass(frozen=True, slots=True)
class Series:
    """One figure of one process, as it stands since that process started."""

    role: str
    """STABLE or CANARY."""
    measure: str
    """`errors`, `latency` (seconds), `reward/<name>`, `prediction/<output>`, `agreement`, `query/<requirement>`."""
    value: Value
    at: float
    """When it was read: seconds since the epoch, by the clock of who read it."""
    source: str = ""
    """The process it comes from (a pod, a port); a process that restarts may keep its name."""
    slice: str = ""
    """`header:NAME=VALUE` or `field:NAME=VALUE`; empty: all requests."""
    version: str = ""
    """The model's, where the source tells; figures of another version than the role's are not counted."""


@dataclass(frozen=True, slots=True)
class Routing:
    """What is really in force, by role. A role that is not there is absent."""

    weights: Mapping[str, int] = field(default_factory=dict)
    """Per cent of requests."""
    mirrored: int = 0
    """Per cent of requests copied to the canary."""
    models: Mapping[str, str] = field(default_factory=dict)
    """The uri of each role that is there, whether it is ready, on its way up, or failing."""
    ready: Mapping[str, bool] = field(default_factory=dict)
    failing: Mapping[str, str] = field(default_factory=dict)
    """Role -> why it cannot serve (a crash loop, an image that is not there)."""
    foreign: str = ""
    """A change that somebody else made to what this rollout owns, in words; empty: none."""


@dataclass(frozen=True, slots=True)
class Observation:
    routing: Routing
    series: tuple[Series, ...] = ()
    commands: tuple[str, ...] = ()
    """What people asked for since the last observation: `promote`, `abort`, `pause`, `resume`."""
    recorded: str = ""
    """`Record.key` of the verdict last written to Git. It may be told once or for ever; the state remembers it."""
    unrecorded: str = ""
    """Why a verdict that was asked for could not be written yet."""

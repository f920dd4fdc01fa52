"""What one served model did since it was loaded: counts by slice, cheap enough to be kept for every request. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LATENCY_BOUNDS = tuple(float(f"{10 ** (k / 20):.3g}") for k in range(-80, 36))
"""Seconds, from 0.1 ms to 56 s, each 12 % above the last: a quantile is known to 12 %."""

_LARGE = tuple(float(f"{m}e{e}") for e in range(7) for m in (1, 2, 5))
PREDICTION_BOUNDS = (
    tuple(-v for v in reversed(_LARGE)) + tuple(round(k / 20, 2) for k in range(-19, 20)) + _LARGE
)  # fmt: skip
"""Steps of 0.05 within (-1, 1), 1, 2, 5, 10, ... beyond: the same for every model, so that two can be compared."""

MOST_CATEGORIES = 200
OTHER = "(other)"
"""Counts what came after the first `MOST_CATEGORIES` categories of an output."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Requests whose header, or whose input, has this value."""

    kind: str
    """`header` or `field`."""
    name: str
    value: str

    @property
    def label(self) -> str:
        return f"{self.kind}:{self.name}={self.value}"

    @staticmethod
    def parse(label: str) -> Slice:
        """From `header:NAME=VALUE` or `field:NAME=VALUE`. Raises: ValueError."""
        kind, _, rest = label.partition(":")
        name, equals, value = rest.partition("=")
        if kind not in ("header", "field") or not name or not equals:
            raise ValueError(f"slice {label!r}: expected header:NAME=VALUE or field:NAME=VALUE")
        return Slice(kind, name.lower() if kind == "header" else name, value)

    def holds(self, headers: Mapping[str, str], fields: Mapping[str, Any]) -> bool:
        """headers: by lower-case name. fields: the values of the request's inputs, a list each."""
        if self.kind == "header":
            return headers.get(self.name) == self.value
        found = fields.get(self.name)
        return found is not None and len(found) > 0 and all(_text(v) == self.value for v in found)


@dataclass(slots=True)
class Numbers:
    """A numeric output's histogram."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(PREDICTION_BOUNDS) + 1))
    total: float = 0.0


@dataclass(slots=True)
class Rewards:
    """Count, sum and sum of squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0


@dataclass(slots=True)
class Counts:
    """Of one slice; `Counter` has one of all requests as well."""

    requests: int = 0
    """Answered, well or not; what did not fit the model (4xx) is the client's and not in here."""
    errors: int = 0
    latency: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS) + 1))
    seconds: float = 0.0
    numbers: dict[str, Numbers] = field(default_factory=dict)
    categories: dict[str, dict[str, int]] = field(default_factory=dict)
    rewards: dict[str, Rewards] = field(default_factory=dict)

    def answered(self, seconds: float, ok: bool) -> None:
        self.requests += 1
        self.errors += not ok
        self.latency[bisect_left(LATENCY_BOUNDS, seconds)] += 1
        self.seconds += seconds

    def predicted(self, output: str, values: Iterable[Any]) -> None:
        for value in values:
            if isinstance(value, float | int) and not isinstance(value, bool):
                numbers = self.numbers.get(output)
                if numbers is None:
                    numbers = self.numbers[output] = Numbers()
                numbers.counts[bisect_left(PREDICTION_BOUNDS, value) if value == value else -1] += 1
                numbers.total += value if value == value else 0.0
            else:
                seen = self.categories.setdefault(output, {})
                name = _text(value)
                if name not in seen and len(seen) >= MOST_CATEGORIES:
                    name = OTHER
                seen[name] = seen.get(name, 0) + 1

    def rewarded(self, name: str, value: float) -> None:
        rewards = self.rewards.setdefault(name, Rewards())
        rewards.count += 1
        rewards.total += value
        rewards.squares += value * value


class Counter:
    """All of one model's counts. Not for several threads: the server's event loop calls it."""

    def __init__(self, slices: Sequence[Slice] = ()) -> None:
        self.whole = Counts()
        self.slices: dict[Slice, Counts] = {}
        self.count_slices(slices)

    def count_slices(self, slices: Sequence[Slice]) -> None:
        """From now on these; those counted before keep their counts, others are forgotten."""
        self.slices = {s: self.slices.get(s) or Counts() for s in slices}

    def of(self, headers: Mapping[str, str], fields: Mapping[str, Any]) -> list[Counts]:
        """Those that a request belongs to."""
        if not self.slices:
            return [self.whole]
        return [self.whole, *(c for s, c in self.slices.items() if s.holds(headers, fields))]

    def by_label(self) -> list[tuple[str, Counts]]:
        return [("", self.whole), *((s.label, c) for s, c in self.slices.items())]


def answers(values: Sequence[Any], width: int) -> Sequence[Any]:
    """What is counted of one output: its values; of several scores a row, the place of the highest, as a category."""
    if width <= 1:
        return values
    rows = (values[i : i + width] for i in range(0, len(values), width))
    return [str(max(range(width), key=row.__getitem__)) for row in rows]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

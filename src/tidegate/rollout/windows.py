"""From cumulative figures of processes that come, go and restart to what was newly counted, by role.

Counters only grow, so a value says itself where it belongs: one that is larger than the last was read later, whatever
the clocks say; one that is smaller was read earlier (a late report) or belongs to a process that restarted. A restart
sets a new base and counts nothing: what was counted between two readings may be lost, and nothing is ever made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from operator import add, sub
from typing import Any, NamedTuple

from tidegate.rollout.observation import CANARY, STABLE, Categories, Gauge, Histogram, Moments, Series, Tally, Value

MOST = 1e15
"""No process has counted more: such a figure (and one that is no number) is none."""
SPARE = 32
"""Series that are remembered beyond twice those that were just read."""
PATIENCE = 30.0
"""Seconds that one role's counts wait for the other's: rates of different times are not compared."""


class SeriesKey(NamedTuple):
    role: str
    measure: str
    slice: str
    source: str
    version: str


Place = tuple[str, str, str]
"""(role, measure, slice)"""


class Last(NamedTuple):
    """What a series stood at when it was last read."""

    at: float
    value: Value


@dataclass(frozen=True, slots=True)
class Pending:
    """Counted by one role since age `since`, and not yet compared with the other's."""

    role: str
    measure: str
    slice: str
    since: float
    value: Value


@dataclass(frozen=True, slots=True)
class Window:
    """What was newly counted of one measure (of one slice), by role; None: nothing."""

    measure: str
    slice: str
    stable: Value | None = None
    canary: Value | None = None


def read(
    ledger: Mapping[SeriesKey, Last], series: Sequence[Series], version: str, stepped: bool
) -> tuple[dict[SeriesKey, Last], dict[Place, Value]]:
    """The new ledger, and what was newly counted by (role, measure, slice).

    `version`: the new model's; figures that name another for the canary, or this one for stable, are not counted.
    `stepped`: the clock ran backwards since the last reading, so a gauge's time says nothing.
    """
    known = dict(ledger)
    gained: dict[Place, Value] = {}
    for each in series:
        if each.role not in (STABLE, CANARY) or not isfinite(each.at):
            continue
        if not _sound(each.value) or not _meant(each, version):
            continue
        key = SeriesKey(each.role, each.measure, each.slice, each.source, each.version)
        last = known.get(key)
        if last is not None and _late(last, each, stepped):
            continue
        known[key] = Last(each.at, each.value)
        increment = each.value if isinstance(each.value, Gauge) else _minus(each.value, last.value) if last else None
        if increment is None or not size(increment):
            continue
        place = (each.role, each.measure, each.slice)
        before = gained.get(place)
        gained[place] = increment if before is None else added(before, increment)
    most = 2 * len(series) + SPARE
    if series and len(known) > most:  # processes that came and went: the state must not grow for ever
        newest = set(sorted(known, key=lambda key: known[key].at)[-most:])
        known = {key: last for key, last in known.items() if key in newest}
    return known, gained


def compare(
    pending: tuple[Pending, ...], gained: Mapping[Place, Value], age: float
) -> tuple[tuple[Pending, ...], list[Window]]:
    """Windows in which both roles counted, those whose other role did not come in time, and what still waits."""
    since: dict[Place, float] = {}
    if pending:
        since = {(p.role, p.measure, p.slice): p.since for p in pending}
        waiting: dict[Place, Value] = {(p.role, p.measure, p.slice): p.value for p in pending}
        for place, value in gained.items():
            before = waiting.get(place)
            waiting[place] = value if before is None else added(before, value)
        gained = waiting
    kept: list[Pending] = []
    windows: list[Window] = []
    for place, mine in gained.items():
        role, measure, part = place
        other = gained.get((CANARY if role == STABLE else STABLE, measure, part))
        if other is not None:
            if role == CANARY:
                windows.append(Window(measure, part, other, mine))
            continue
        began = since.get(place, age)
        if age - began < PATIENCE and not isinstance(mine, Gauge):
            kept.append(Pending(role, measure, part, began, mine))
        else:
            windows.append(Window(measure, part, mine, None) if role == STABLE else Window(measure, part, None, mine))
    return tuple(kept), windows


# ------------------------------------------------------------ values
def size(value: Value | None) -> float:
    """How many requests (rewards, answers) it counts."""
    if isinstance(value, Tally):
        return value.total
    if isinstance(value, Histogram):
        return sum(value.counts)
    if isinstance(value, Moments):
        return value.count
    if isinstance(value, Categories):
        return sum(value.counts.values())
    return 0.0 if value is None else 1.0


def added(one: Value, other: Value) -> Value:
    """Both together; of figures that do not go together (other bounds), and of gauges, the later."""
    if isinstance(one, Tally) and isinstance(other, Tally):
        return Tally(one.total + other.total, one.hits + other.hits)
    if isinstance(one, Histogram) and isinstance(other, Histogram) and one.bounds == other.bounds:
        return Histogram(one.bounds, tuple(map(add, one.counts, other.counts)))
    if isinstance(one, Moments) and isinstance(other, Moments):
        return Moments(one.count + other.count, one.total + other.total, one.squares + other.squares)
    if isinstance(one, Categories) and isinstance(other, Categories):
        names = {**one.counts, **other.counts}
        return Categories({name: one.counts.get(name, 0.0) + other.counts.get(name, 0.0) for name in names})
    return other


def _late(last: Last, series: Series, stepped: bool) -> bool:
    """Whether this was read before the last, or is the last once more."""
    if stepped or series.at > last.at or type(series.value) is not type(last.value):
        return False
    more = _minus(series.value, last.value)
    return more is None or isinstance(more, Gauge) or not size(more)


def _minus(value: Value, last: Value) -> Value | None:
    """`value - last`; None where that is no count of anything: the counter began anew, or it is another."""
    if isinstance(value, Tally) and isinstance(last, Tally):
        total, hits = value.total - last.total, value.hits - last.hits
        return Tally(total, hits) if 0 <= hits <= total else None
    if isinstance(value, Histogram) and isinstance(last, Histogram):
        if value.bounds != last.bounds:
            return None
        counts = tuple(map(sub, value.counts, last.counts))
        return Histogram(value.bounds, counts) if min(counts) >= 0 else None
    if isinstance(value, Moments) and isinstance(last, Moments):
        more = Moments(value.count - last.count, value.total - last.total, value.squares - last.squares)
        slack = 1e-6 * abs(value.squares)
        return more if more.count >= 0 and more.squares >= -slack else None
    if isinstance(value, Categories) and isinstance(last, Categories):
        names = {**last.counts, **value.counts}
        grown = {name: value.counts.get(name, 0.0) - last.counts.get(name, 0.0) for name in names}
        return Categories(grown) if min(grown.values(), default=0.0) >= 0 else None
    return None


def _sound(value: Value) -> bool:
    """Whether it can be a count at all: finite, not negative, of one piece."""
    if isinstance(value, Tally):
        return 0 <= value.hits <= value.total <= MOST
    if isinstance(value, Histogram):
        bounds, counts = value.bounds, value.counts
        whole = len(counts) == len(bounds) + 1 and sum(counts) <= MOST and min(counts) >= 0
        return whole and list(bounds) == sorted(set(bounds))
    if isinstance(value, Moments):
        return 0 <= value.count <= MOST and abs(value.total) <= MOST and 0 <= value.squares <= MOST
    if isinstance(value, Categories):
        return all(0 <= count <= MOST for count in value.counts.values())
    return isfinite(value.value)


def _meant(series: Series, version: str) -> bool:
    if not series.version or not version:
        return True
    return (series.version == version) == (series.role == CANARY)


# ------------------------------------------------------------ as JSON
def encode_value(value: Value) -> list[Any]:
    """A value as JSON."""
    if isinstance(value, Tally):
        return ["tally", value.total, value.hits]
    if isinstance(value, Histogram):
        return ["histogram", list(value.bounds), list(value.counts)]
    if isinstance(value, Moments):
        return ["moments", value.count, value.total, value.squares]
    if isinstance(value, Categories):
        return ["categories", dict(value.counts)]
    return ["gauge", value.value]


def decode_value(said: list[Any]) -> Value:
    """What `encode_value` gave. Raises: ValueError."""
    match said:
        case ["tally", total, hits]:
            return Tally(total, hits)
        case ["histogram", bounds, counts]:
            return Histogram(tuple(bounds), tuple(counts))
        case ["moments", count, total, squares]:
            return Moments(count, total, squares)
        case ["categories", counts]:
            return Categories(dict(counts))
        case ["gauge", value]:
            return Gauge(value)
    raise ValueError(f"not a value: {said!r}")

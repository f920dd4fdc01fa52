"""From cumulative figures to what was newly counted: resets, restarts, duplicates, late reports, clocks, nonsense."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from tidegate.rollout.observation import (
    CANARY,
    STABLE,
    Categories,
    Gauge,
    Histogram,
    Moments,
    Series,
    Tally,
    Value,
)
from tidegate.rollout.windows import PATIENCE, Pending, added, compare, decode_value, encode_value, read

T = Tally


@dataclass(frozen=True)
class Case:
    name: str
    readings: tuple[tuple[float, Value], ...]
    """(at, value) of one source, in the order in which they arrive."""
    counted: Value | None
    """In all."""
    stepped: tuple[int, ...] = ()
    """Readings before which the driver's clock ran backwards."""


CASES = (
    Case("the first reading is a base: it may be of before the rollout", ((1, T(100, 9)),), None),
    Case("increments are counted", ((1, T(100, 9)), (2, T(110, 10)), (3, T(130, 10))), T(30, 1)),
    Case("a duplicate counts nothing", ((1, T(100, 9)), (2, T(110, 10)), (2, T(110, 10))), T(10, 1)),
    Case("the same value read later counts nothing", ((1, T(100, 9)), (2, T(100, 9)), (3, T(101, 9))), T(1, 0)),
    Case("a late report is left out", ((1, T(100, 0)), (3, T(130, 3)), (2, T(110, 1)), (4, T(140, 4))), T(40, 4)),
    Case("a restart begins a new base", ((1, T(100, 5)), (2, T(7, 7)), (3, T(10, 8))), T(3, 1)),
    Case("a restart read at the same time waits", ((1, T(100, 5)), (1, T(7, 7)), (2, T(9, 7)), (3, T(10, 8))), T(1, 1)),
    Case("hits that fall are a restart", ((1, T(100, 5)), (2, T(150, 2)), (3, T(160, 3))), T(10, 1)),
    Case("more new hits than requests are another counter", ((1, T(10, 0)), (2, T(12, 5)), (3, T(14, 6))), T(2, 1)),
    Case("the reader's clock is set back, counters tell", ((9, T(10, 0)), (2, T(20, 1)), (3, T(30, 2))), T(20, 2)),
    Case("the clock is set back over a restart", ((9, T(100, 0)), (2, T(5, 0)), (3, T(8, 1))), T(3, 1), stepped=(1,)),
    Case("the clock jumps forward and back", ((1, T(1, 0)), (9e9, T(5, 1)), (3, T(7, 1))), T(6, 1)),
    Case("NaN is no reading", ((1, T(1, 0)), (2, T(math.nan, 0)), (3, T(4, 1))), T(3, 1)),
    Case("infinity is no reading", ((1, T(1, 0)), (2, T(math.inf, 0)), (3, T(4, 1))), T(3, 1)),
    Case("negative counts are no reading", ((1, T(1, 0)), (2, T(3, -1)), (3, T(4, 1))), T(3, 1)),
    Case("more hits than requests are no reading", ((1, T(1, 0)), (2, T(3, 4)), (3, T(4, 1))), T(3, 1)),
    Case("a reading of no time is none", ((1, T(1, 0)), (math.nan, T(3, 0)), (2, T(4, 1))), T(3, 1)),
    Case("a count beyond all counts is no reading", ((1, T(1, 0)), (2, T(1e300, 0)), (3, T(4, 1))), T(3, 1)),
    Case("zero traffic counts nothing", ((1, T(0, 0)), (2, T(0, 0))), None),
    Case(
        "histograms by bucket",
        ((1, Histogram((1.0, 2.0), (1, 0, 0))), (2, Histogram((1.0, 2.0), (2, 3, 1)))),
        Histogram((1.0, 2.0), (1, 3, 1)),
    ),
    Case(
        "other buckets are another histogram",
        ((1, Histogram((1.0,), (1, 0))), (2, Histogram((2.0,), (5, 0))), (3, Histogram((2.0,), (6, 2)))),
        Histogram((2.0,), (1, 2)),
    ),
    Case(
        "a bucket that falls is a restart",
        ((1, Histogram((1.0,), (5, 0))), (2, Histogram((1.0,), (3, 9))), (3, Histogram((1.0,), (4, 9)))),
        Histogram((1.0,), (1, 0)),
    ),
    Case("a histogram of the wrong length is none", ((1, Histogram((1.0,), (5,))), (2, Histogram((1.0,), (9,)))), None),
    Case("bounds that do not rise are none", ((1, Histogram((1.0, 1.0), (0, 0, 0))), (2, T(1, 0))), None),
    Case("moments", ((1, Moments(1, 2.0, 4.0)), (2, Moments(3, 1.0, 5.0))), Moments(2, -1.0, 1.0)),
    Case("moments whose count falls", ((1, Moments(9, 2.0, 4.0)), (2, Moments(3, 1.0, 5.0))), None),
    Case(
        "a new category is counted",
        ((1, Categories({"a": 1.0})), (2, Categories({"a": 2.0, "b": 3.0}))),
        Categories({"a": 1.0, "b": 3.0}),
    ),
    Case("a category that is gone is a restart", ((1, Categories({"a": 1.0})), (2, Categories({"b": 3.0}))), None),
    Case("a gauge is its value", ((1, Gauge(3.0)), (2, Gauge(4.0))), Gauge(4.0)),
    Case("an old gauge is left out", ((2, Gauge(3.0)), (1, Gauge(9.0)), (2, Gauge(9.0))), Gauge(3.0)),
    Case("a gauge after the clock was set back", ((9, Gauge(3.0)), (1, Gauge(4.0))), Gauge(4.0), stepped=(1,)),
    Case("a gauge that is NaN", ((1, Gauge(3.0)), (2, Gauge(math.nan))), Gauge(3.0)),
    Case("another kind of value is a new base", ((1, Gauge(3.0)), (2, T(5, 1)), (3, T(6, 1))), T(1, 0)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_counted(case):
    ledger, counted = {}, None
    for number, (at, value) in enumerate(case.readings):
        ledger, gained = read(ledger, [Series(CANARY, "m", value, at)], "", number in case.stepped)
        for more in gained.values():
            counted = more if counted is None else added(counted, more)
    assert counted == case.counted


def read_all(*turns: list[Series], version: str = ""):
    ledger, total = {}, {}
    for series in turns:
        ledger, gained = read(ledger, series, version, False)
        for place, more in gained.items():
            total[place] = added(total[place], more) if place in total else more
    return total


def of(role: str, total: float, at: float, source: str = "", version: str = "", slice: str = "") -> Series:
    return Series(role, "errors", Tally(total, 0), at, source, slice, version)


def test_processes_are_counted_each_for_itself_and_summed():
    total = read_all(
        [of(STABLE, 5, 1, "p1"), of(STABLE, 50, 1, "p2")], [of(STABLE, 6, 2, "p1"), of(STABLE, 53, 2, "p2")]
    )
    assert total == {(STABLE, "errors", ""): Tally(4, 0)}


def test_a_process_that_goes_and_comes_back_goes_on_where_it_was():
    total = read_all([of(STABLE, 5, 1, "p1")], [], [of(STABLE, 9, 3, "p1")])
    assert total == {(STABLE, "errors", ""): Tally(4, 0)}


def test_a_process_that_is_new_brings_only_what_it_counts_from_then_on():
    total = read_all([of(STABLE, 5, 1, "p1")], [of(STABLE, 6, 2, "p1"), of(STABLE, 1000, 2, "p2")])
    assert total == {(STABLE, "errors", ""): Tally(1, 0)}


def test_processes_that_came_and_went_are_forgotten_in_the_end():
    ledger, total = {}, 0.0
    for turn in range(500):
        pods = [f"p{turn // 5}", "steady"]
        ledger, gained = read(ledger, [of(STABLE, 10.0 * turn, turn, pod) for pod in pods], "", False)
        total += sum(value.total for value in gained.values())
    assert len(ledger) <= 40
    assert total == 499 * 10 + 400 * 10  # the steady one always, each of the others but for its first reading


def test_slices_are_kept_apart():
    total = read_all([of(STABLE, 5, 1), of(STABLE, 1, 1, slice="header:a=b")], [of(STABLE, 9, 2, slice="header:a=b")])
    assert total == {(STABLE, "errors", "header:a=b"): Tally(8, 0)}


@pytest.mark.parametrize(
    ("role", "version", "counts"),
    [(CANARY, "v2", True), (CANARY, "v1", False), (CANARY, "", True), (STABLE, "v1", True), (STABLE, "v2", False)],
)
def test_figures_of_another_model_are_not_counted(role, version, counts):
    total = read_all([of(role, 1, 1, version=version)], [of(role, 3, 2, version=version)], version="v2")
    assert bool(total) == counts


def test_figures_of_no_role_are_not_counted():
    assert read_all([of("other", 1, 1)], [of("other", 3, 2)]) == {}


def test_a_window_has_both_roles_counts():
    pending, windows = compare((), {(STABLE, "m", ""): Tally(9, 1), (CANARY, "m", ""): Tally(3, 0)}, 100.0)
    assert pending == ()
    assert [(w.stable, w.canary) for w in windows] == [(Tally(9, 1), Tally(3, 0))]


def test_one_role_waits_for_the_other_and_then_all_is_compared():
    pending, windows = compare((), {(STABLE, "m", ""): Tally(9, 1)}, 100.0)
    assert windows == []
    pending, windows = compare(pending, {(STABLE, "m", ""): Tally(1, 1)}, 110.0)
    assert windows == []
    pending, windows = compare(pending, {(CANARY, "m", ""): Tally(3, 0)}, 120.0)
    assert pending == ()
    assert [(w.stable, w.canary) for w in windows] == [(Tally(10, 2), Tally(3, 0))]


def test_rates_of_different_times_are_not_compared():
    waiting = (Pending(STABLE, "m", "", 100.0, Tally(9, 1)),)
    pending, windows = compare(waiting, {}, 100.0 + PATIENCE)
    assert pending == ()
    assert [(w.stable, w.canary) for w in windows] == [(Tally(9, 1), None)]


@pytest.mark.parametrize(
    "value",
    [T(3, 1), Histogram((1.0, 2.0), (1.0, 2.0, 3.0)), Moments(1, 2.0, 3.0), Categories({"a": 1.0}), Gauge(2.0)],
)
def test_values_survive_json(value):
    assert decode_value(encode_value(value)) == value


def test_what_is_no_value_is_said():
    with pytest.raises(ValueError, match="not a value"):
        decode_value(["tally", 1])

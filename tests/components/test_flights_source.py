"""Where the example's flights come from."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "pipelines/flights"))

import source


@pytest.fixture(scope="module")
def june():
    (table,) = source.read_examples("", 6)
    return table.to_pandas()


def test_only_what_is_known_before_departure_is_there(june):
    told_by_the_flight = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}
    assert not told_by_the_flight & set(june.columns)


def test_a_month_has_its_flights_that_arrived(june):
    assert len(june) == 27_075
    assert set(june["month"]) == {6}


def test_late_means_more_than_fifteen_minutes(june):
    assert june["late"].mean() == pytest.approx(0.308, abs=0.001)


def test_weather_and_aeroplanes_are_joined(june):
    assert june["temp"].notna().mean() > 0.99
    assert june["seats"].notna().mean() > 0.8


def test_the_same_month_gives_the_same_rows(june):
    (again,) = source.read_examples("", 6)
    assert again.to_pandas().equals(june)

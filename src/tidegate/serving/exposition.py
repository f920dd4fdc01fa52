"""A model's counts in Prometheus' words, as MLServer's metrics endpoint prints them.

    tidegate_requests_total{code="ok|error"}     answered requests
    tidegate_request_seconds                     histogram
    tidegate_prediction_value{output}            histogram of a numeric output
    tidegate_prediction_category_total{output,category}
    tidegate_reward_values_total{reward}, tidegate_reward_sum{reward}, tidegate_reward_squares_total{reward}
    tidegate_payloads_total{fate="logged|dropped"}

each with `model_name`, `model_version` and `slice` (empty: all requests).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from tidegate.serving.counting import LATENCY_BOUNDS, PREDICTION_BOUNDS, Counter, Counts

MODEL = ("model_name", "model_version", "slice")


class Collector:
    """Prometheus asks it at each scrape. `before`: called first (slices may have been asked for since)."""

    def __init__(
        self,
        name: str,
        version: str,
        counter: Counter,
        payloads: Callable[[], tuple[int, int]],
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._labels = (name, version)
        self._counter, self._payloads, self._before = counter, payloads, before

    def describe(self) -> list[Any]:
        """Nothing is claimed beforehand: two versions of a model may be loaded side by side."""
        return []

    def collect(self) -> Iterator[Any]:
        self._before()
        families = _families()
        for slice_, counts in self._counter.by_label():
            _add(families, (*self._labels, slice_), counts)
        for fate, count in zip(("logged", "dropped"), self._payloads(), strict=True):
            families["payloads"].add_metric([*self._labels, "", fate], count)
        yield from families.values()


def _families() -> dict[str, Any]:
    return {
        "requests": CounterMetricFamily("tidegate_requests", "Answered requests", labels=[*MODEL, "code"]),
        "seconds": HistogramMetricFamily("tidegate_request_seconds", "Time to answer, in seconds", labels=MODEL),
        "values": HistogramMetricFamily("tidegate_prediction_value", "Numeric answers", labels=[*MODEL, "output"]),
        "categories": CounterMetricFamily(
            "tidegate_prediction_category", "Answers by category", labels=[*MODEL, "output", "category"]
        ),
        "rewards": CounterMetricFamily("tidegate_reward_values", "Rewards", labels=[*MODEL, "reward"]),
        "sums": GaugeMetricFamily("tidegate_reward_sum", "Sum of rewards", labels=[*MODEL, "reward"]),
        "squares": CounterMetricFamily("tidegate_reward_squares", "Squares of rewards", labels=[*MODEL, "reward"]),
        "payloads": CounterMetricFamily("tidegate_payloads", "Payloads for the log", labels=[*MODEL, "fate"]),
    }


def _add(families: dict[str, Any], labels: tuple[str, ...], counts: Counts) -> None:
    families["requests"].add_metric([*labels, "ok"], counts.requests - counts.errors)
    families["requests"].add_metric([*labels, "error"], counts.errors)
    families["seconds"].add_metric(labels, _buckets(LATENCY_BOUNDS, counts.latency), counts.seconds)
    for output, numbers in counts.numbers.items():
        families["values"].add_metric([*labels, output], _buckets(PREDICTION_BOUNDS, numbers.counts), numbers.total)
        named = dict(zip((*MODEL, "output"), (*labels, output), strict=True))  # left out where bounds are negative
        families["values"].add_sample("tidegate_prediction_value_count", named, float(sum(numbers.counts)))
    for output, categories in counts.categories.items():
        for category, count in categories.items():
            families["categories"].add_metric([*labels, output, category], count)
    for name, rewards in counts.rewards.items():
        families["rewards"].add_metric([*labels, name], rewards.count)
        families["sums"].add_metric([*labels, name], rewards.total)
        families["squares"].add_metric([*labels, name], rewards.squares)


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    return list(zip((*map(str, bounds), "+Inf"), accumulate(map(float, counts)), strict=True))

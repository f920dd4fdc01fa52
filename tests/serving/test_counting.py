"""What is counted of a served model, and how Prometheus is told."""

from __future__ import annotations

from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tidegate.serving.counting import LATENCY_BOUNDS, MOST_CATEGORIES, OTHER, PREDICTION_BOUNDS, Counter, Slice, answers
from tidegate.serving.exposition import Collector


def told(counter: Counter) -> dict[tuple[str, str], float]:
    """(sample, its labels but the model's) -> value."""
    registry = CollectorRegistry()
    registry.register(Collector("m", "v1", counter, lambda: (3, 1)))
    text = generate_latest(registry).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels.pop("model_name") == "m" and sample.labels.pop("model_version") == "v1"
            found[sample.name, ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))] = sample.value
    return found


def test_requests_errors_and_latencies_are_told_as_prometheus_wants_them() -> None:
    counter = Counter()
    counter.whole.answered(0.004, ok=True)
    counter.whole.answered(0.5, ok=False)

    found = told(counter)

    assert found["tidegate_requests_total", "code=ok,slice="] == 1
    assert found["tidegate_requests_total", "code=error,slice="] == 1
    assert found["tidegate_request_seconds_count", "slice="] == 2
    assert found["tidegate_request_seconds_sum", "slice="] == pytest.approx(0.504)
    below = max(b for b in LATENCY_BOUNDS if b < 0.5)
    assert found["tidegate_request_seconds_bucket", f"le={below},slice="] == 1
    assert found["tidegate_payloads_total", "fate=dropped,slice="] == 1


def test_bounds_are_fine_enough_for_a_quantile_and_cover_what_models_answer() -> None:
    assert all(1 < b / a < 1.13 for a, b in pairwise(LATENCY_BOUNDS))
    assert LATENCY_BOUNDS[0] <= 0.0001 and LATENCY_BOUNDS[-1] > 50
    assert list(PREDICTION_BOUNDS) == sorted(set(PREDICTION_BOUNDS))
    assert {0.05, 0.5, 0.95, 1.0, -1.0} <= set(PREDICTION_BOUNDS)


def test_predictions_are_counted_by_bin_or_category() -> None:
    counter = Counter()
    counter.whole.predicted("p", [0.02, 0.97, float("nan")])
    counter.whole.predicted("carrier", ["UA", b"UA", "AA", True])

    found = told(counter)

    assert found["tidegate_prediction_value_bucket", "le=0.05,output=p,slice="] == 1
    assert found["tidegate_prediction_value_bucket", "le=1.0,output=p,slice="] == 2
    assert found["tidegate_prediction_value_bucket", "le=+Inf,output=p,slice="] == 3
    assert found["tidegate_prediction_value_count", "output=p,slice="] == 3
    assert found["tidegate_prediction_category_total", "category=UA,output=carrier,slice="] == 2
    assert found["tidegate_prediction_category_total", "category=True,output=carrier,slice="] == 1


def test_categories_are_bounded() -> None:
    counter = Counter()
    counter.whole.predicted("id", [str(i) for i in range(MOST_CATEGORIES + 50)])

    seen = counter.whole.categories["id"]

    assert len(seen) == MOST_CATEGORIES + 1 and seen[OTHER] == 50


def test_of_several_scores_a_row_the_highest_one_is_the_answer() -> None:
    assert list(answers([0.1, 0.7, 0.2, 0.5, 0.1, 0.4], 3)) == ["1", "0"]
    assert list(answers([0.1, 0.7], 1)) == [0.1, 0.7]


def test_rewards_keep_what_a_mean_and_its_variance_need() -> None:
    counter = Counter()
    for value in (1.0, 0.0, 0.5):
        counter.whole.rewarded("click", value)

    found = told(counter)

    assert found["tidegate_reward_values_total", "reward=click,slice="] == 3
    assert found["tidegate_reward_sum", "reward=click,slice="] == 1.5
    assert found["tidegate_reward_squares_total", "reward=click,slice="] == 1.25


@pytest.mark.parametrize(
    ("label", "headers", "fields", "belongs"),
    [
        ("header:X-Tier=gold", {"x-tier": "gold"}, {}, True),
        ("header:x-tier=gold", {"x-tier": "base"}, {}, False),
        ("field:carrier=UA", {}, {"carrier": ["UA"]}, True),
        ("field:carrier=UA", {}, {"carrier": [b"UA"]}, True),
        ("field:carrier=UA", {}, {"carrier": ["UA", "AA"]}, False),
        ("field:carrier=UA", {}, {}, False),
        ("field:hour=5", {}, {"hour": [5]}, True),
    ],
)
def test_a_request_belongs_to_a_slice(
    label: str, headers: dict[str, str], fields: dict[str, list[object]], belongs: bool
) -> None:
    counter = Counter([Slice.parse(label)])

    assert len(counter.of(headers, fields)) == 1 + belongs


@pytest.mark.parametrize("label", ["carrier=UA", "header:=x", "field:carrier", "cookie:a=b"])
def test_a_slice_that_makes_no_sense_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="expected header:NAME=VALUE"):
        Slice.parse(label)


def test_other_slices_keep_the_counts_of_those_that_stay() -> None:
    counter = Counter([Slice.parse("header:a=1"), Slice.parse("header:b=1")])
    for counts in counter.of({"a": "1"}, {}):
        counts.answered(0.1, ok=True)

    counter.count_slices([Slice.parse("header:a=1"), Slice.parse("header:c=1")])

    assert {label: counts.requests for label, counts in counter.by_label()} == {"": 1, "header:a=1": 1, "header:c=1": 0}

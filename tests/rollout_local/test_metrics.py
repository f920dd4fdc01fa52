"""From Envoy's and the model servers' own words to a rollout's series."""

from __future__ import annotations

import pytest

from tidegate.rollout.observation import Categories, Histogram, Moments, Series, Tally
from tidegate.rollout.plan import Agreement
from tidegate.serving.local.desired import Desired, Instance, Replica, Runtime, Status
from tidegate.serving.local.metrics import _samples, agree, of_envoy, of_model

DESIRED = Desired(
    "m",
    Runtime("python"),
    stable=Instance("a-1", "/a", version="a"),
    canary=Instance("b-2", "/b", version="b"),
)
STATUS = Status(1, 2, 3, 4, (Replica("a-1", 0, 9, 100, 101, 102), Replica("b-2", 0, 9, 300, 301, 302)))

ENVOY = """
# TYPE envoy_cluster_endpoint_rq_error counter
envoy_cluster_endpoint_rq_error{envoy_cluster_name="a-1",envoy_endpoint_address="127.0.0.1:100"} 1
envoy_cluster_endpoint_rq_error{envoy_cluster_name="b-2",envoy_endpoint_address="127.0.0.1:300"} 5
envoy_cluster_endpoint_rq_error{envoy_cluster_name="b-2",envoy_endpoint_address="127.0.0.1:100"} 0
envoy_cluster_endpoint_rq_error{envoy_cluster_name="b-2-mirror",envoy_endpoint_address="127.0.0.1:300"} 2
# TYPE envoy_cluster_endpoint_rq_success counter
envoy_cluster_endpoint_rq_success{envoy_cluster_name="a-1",envoy_endpoint_address="127.0.0.1:100"} 99
envoy_cluster_endpoint_rq_success{envoy_cluster_name="b-2",envoy_endpoint_address="127.0.0.1:300"} 10
envoy_cluster_endpoint_rq_success{envoy_cluster_name="b-2",envoy_endpoint_address="127.0.0.1:100"} 5
envoy_cluster_endpoint_rq_success{envoy_cluster_name="b-2-mirror",envoy_endpoint_address="127.0.0.1:300"} 0
# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="b-2",le="1"} 4
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="b-2",le="2"} 9
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="b-2",le="+Inf"} 10
envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="b-2"} 14
envoy_cluster_upstream_rq_time_count{envoy_cluster_name="b-2"} 10
"""


def envoys() -> list[Series]:
    return list(of_envoy(_samples(ENVOY), DESIRED, STATUS, 5.0))


def test_errors_are_those_of_the_models_own_endpoints() -> None:
    errors = {(s.role, s.source): s.value for s in envoys() if s.measure == "errors"}

    assert errors == {
        ("stable", "envoy a-1 127.0.0.1:100"): Tally(100, 1),
        ("canary", "envoy b-2 127.0.0.1:300"): Tally(15, 5),
        ("canary", "envoy b-2-mirror 127.0.0.1:300"): Tally(2, 2),
    }
    assert {(s.role, s.version, s.at) for s in envoys()} == {("stable", "a", 5.0), ("canary", "b", 5.0)}


def test_envoys_milliseconds_are_rounded_down_so_bounds_are_one_higher() -> None:
    (latency,) = [s.value for s in envoys() if s.measure == "latency"]

    assert latency == Histogram((0.002, 0.003), (4.0, 5.0, 1.0))


MODEL = """
# TYPE tidegate_requests_total counter
tidegate_requests_total{code="ok",slice=""} 8
tidegate_requests_total{code="error",slice=""} 2
tidegate_requests_total{code="ok",slice="field:carrier=UA"} 3
tidegate_requests_total{code="error",slice="field:carrier=UA"} 1
# TYPE tidegate_prediction_value histogram
tidegate_prediction_value_bucket{output="p",slice="",le="0.5"} 6
tidegate_prediction_value_bucket{output="p",slice="",le="+Inf"} 8
# TYPE tidegate_prediction_category_total counter
tidegate_prediction_category_total{output="c",category="x",slice=""} 5
tidegate_prediction_category_total{output="c",category="y",slice=""} 3
# TYPE tidegate_reward_values_total counter
tidegate_reward_values_total{reward="click",slice=""} 4
# TYPE tidegate_reward_sum gauge
tidegate_reward_sum{reward="click",slice=""} -1.5
# TYPE tidegate_reward_squares_total counter
tidegate_reward_squares_total{reward="click",slice=""} 2.5
"""


def test_the_model_servers_tell_of_slices_predictions_and_rewards() -> None:
    found = {(s.measure, s.slice): s.value for s in of_model(_samples(MODEL), "canary", DESIRED.instances[1], "p", 1.0)}

    assert found == {
        ("errors", "field:carrier=UA"): Tally(4, 1),
        ("prediction/p", ""): Histogram((0.5,), (6.0, 2.0)),
        ("prediction/c", ""): Categories({"x": 5.0, "y": 3.0}),
        ("reward/click", ""): Moments(4.0, -1.5, 2.5),
    }


@pytest.mark.parametrize(
    ("one", "other", "how", "agreed"),
    [
        ({"p": [0.5]}, {"p": [0.5]}, Agreement(), True),
        ({"p": [0.5]}, {"p": [0.51]}, Agreement(), False),
        ({"p": [0.5]}, {"p": [0.51]}, Agreement(tolerance=0.02), True),
        ({"p": [0.5, 1]}, {"p": [0.5]}, Agreement(), False),
        ({"c": ["x"], "p": [1]}, {"c": ["x"], "p": [2]}, Agreement(output="c"), True),
        ({"c": ["x"]}, {"c": ["y"]}, Agreement(), False),
        ({"c": ["x"]}, {"d": ["x"]}, Agreement(), False),
    ],
)
def test_two_answers_agree(
    one: dict[str, list[object]], other: dict[str, list[object]], how: Agreement, agreed: bool
) -> None:
    assert agree(one, other, how) is agreed

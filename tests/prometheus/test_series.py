"""What a rollout reads out of metrics."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.prometheus import pages
from tidegate.prometheus.samples import Sample, from_answer, from_text
from tidegate.prometheus.series import EXECUTOR, GATEWAY, RUNTIME, Roles, is_error, series
from tidegate.rollout.observation import Categories, Histogram, Moments, Series, Tally, Value

ROLES = Roles("models", "flights", {"default": "stable", "canary-1": "canary"}, pods={"p1": "canary-1"})


def read(text: str, roles: Roles = ROLES, pod: str = "p1", at: float = 5.0) -> tuple[Series, ...]:
    samples = from_text(text, at, (EXECUTOR, GATEWAY, RUNTIME))
    return series((Sample(s.name, {**s.labels, "pod": pod}, s.value, s.at) for s in samples), roles)


def values(found: tuple[Series, ...], role: str = "canary", part: str = "") -> dict[str, Value]:
    return {each.measure: each.value for each in found if each.role == role and each.slice == part}


def test_the_executors_codes_become_errors_and_its_good_answers_latencies() -> None:
    found = read(pages.executor("canary-1", {"200": 90, "400": 6, "500": 4}, version="2", slow=3))
    assert values(found) == {"errors": Tally(100, 4), "latency": Histogram((0.1, 1.0), (90, 6, 0))}
    assert {(s.version, s.source, s.at) for s in found} == {("2", "executor p1", 5.0)}


@pytest.mark.parametrize(
    "page",
    [
        pages.executor("another", {"200": 9}),
        pages.executor("canary-1", {"200": 9}).replace('"flights"', '"other"'),
        pages.executor("canary-1", {"200": 9}, service="feedback"),
        pages.executor("canary-1", {"200": 9}, service="graph-metadata"),
        pages.executor("canary-1", {"200": 9}).replace("code=", 'namespace="elsewhere",code='),
        pages.gateway("flights-another", {("503", "UH"): 3}),
        pages.gateway("flights-canary-1", {("503", "UH"): 3}, namespace="elsewhere"),
        "python_info 1\n",
    ],
)
def test_figures_of_others_are_passed_over(page: str) -> None:
    assert read(page) == ()


def test_what_the_gateway_answers_itself_is_an_error_and_what_it_passes_on_is_not_counted_again() -> None:
    page = pages.gateway("flights-canary-1", {("200", "-"): 50, ("500", "-"): 5, ("503", "UH"): 7, ("503", "UF"): 2})
    assert values(read(page)) == {"errors": Tally(9, 9)}


def test_a_client_that_hangs_up_is_not_the_models_error() -> None:
    assert values(read(pages.gateway("flights-canary-1", {("499", "DC"): 7}))) == {"errors": Tally(0, 0)}


def test_the_model_servers_own_count_stands_in_where_there_is_no_executor() -> None:
    found = values(read(pages.RUNTIME, replace(ROLES, executors=False)))
    assert found["errors"] == Tally(100, 10)
    assert found["latency"] == Histogram((0.01,), (80, 20))


def test_a_request_is_counted_once_where_executor_and_server_both_count() -> None:
    found = read(pages.executor("canary-1", {"200": 90}) + pages.RUNTIME)
    assert [each.source for each in found if each.measure == "errors" and not each.slice] == ["executor p1"]


def test_slices_rewards_and_predictions_come_from_the_model_server() -> None:
    found = read(pages.RUNTIME)
    assert values(found) == {
        "prediction/p": Histogram((0.5,), (30, 70)),
        "prediction/c": Categories({"late": 40, "on time": 60}),
        "reward/click": Moments(50, 20, 20),
    }
    assert values(found, part="header:tier=gold") == {"errors": Tally(10, 1)}
    assert {each.version for each in found} == {"2"}


@pytest.mark.parametrize(
    ("code", "bad"),
    [("200", False), ("404", False), ("429", False), ("500", True), ("503", True), ("0", True),
     ("OK", False), ("InvalidArgument", False), ("Unavailable", True), ("Internal", True), ("", False)],
)  # fmt: skip
def test_which_codes_are_the_models_errors(code: str, bad: bool) -> None:
    assert is_error(code) is bad


def test_a_matrix_gives_each_series_last_sample_with_its_own_time() -> None:
    rows = [{"metric": {"__name__": "n", "pod": "a"}, "values": [[10, "1"], [25.5, "4"]]}, {"metric": {}, "values": []}]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": rows}}
    assert from_answer(answer) == [Sample("n", {"pod": "a"}, 4.0, 25.5)]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "error", "errorType": "bad_data", "error": "parse error"},
        {"status": "success", "data": {"resultType": "string", "result": [1, "x"]}},
    ],
)
def test_an_answer_that_is_no_number_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"parse error|expected numbers"):
        from_answer(answer)


def test_a_page_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        read(f"{GATEWAY} this is no number\n")

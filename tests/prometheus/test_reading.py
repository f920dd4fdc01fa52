"""Asking Prometheus, and asking pods."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from tests.prometheus import pages
from tidegate.prometheus.scraping import PodMetrics, Scraper, Target
from tidegate.prometheus.series import Roles
from tidegate.prometheus.server import Question, Server, ServerMetrics, selectors
from tidegate.rollout.observation import Gauge, Series, Tally
from tidegate.rollout.ports import PortError

ROLES = Roles("models", "flights", {"default": "stable", "canary-1": "canary"}, pods={"p1": "canary-1"})
Answers = Callable[[str], Any]


async def roles() -> Roles:
    return ROLES


def server(
    answers: Answers, token: Callable[[], str] | None = None, asked: list[httpx.Request] | None = None
) -> Server:
    def handle(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        found = answers(parse_qs(request.content.decode())["query"][0])
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    return Server("http://prometheus", token, httpx.AsyncClient(transport=httpx.MockTransport(handle)))


def vector(*rows: tuple[float, float]) -> dict[str, Any]:
    result = [{"metric": {}, "value": [at, str(value)]} for at, value in rows]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def matrix(rows: list[tuple[dict[str, str], float, float]]) -> dict[str, Any]:
    result = [{"metric": labels, "values": [[at, str(value)]]} for labels, at, value in rows]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def test_prometheus_is_asked_for_samples_with_their_own_times() -> None:
    name = "seldon_api_executor_server_requests_seconds_count"
    labels = {"__name__": name, "deployment_name": "flights", "predictor_name": "canary-1", "code": "200", "pod": "p1"}

    def answers(query: str) -> Any:
        assert query.endswith("[2m]")
        return matrix([(labels, 77.0, 12)] if "executor" in query else [])

    found = asyncio.run(ServerMetrics(server(answers), roles).read())
    assert found == (Series("canary", "errors", Tally(12, 0), 77.0, "executor p1"),)


def test_the_series_asked_for_are_those_of_this_rollout_only() -> None:
    executor, gateway, *runtime = selectors(ROLES)
    assert 'deployment_name="flights"' in executor
    assert 'destination_service_name=~"flights-default|flights-canary-1"' in gateway
    assert 'destination_service_namespace="models"' in gateway
    assert all('~"p1"' in selector for selector in runtime)


def test_a_query_of_ones_own_is_asked_for_each_role_that_it_tells_apart() -> None:
    asked = []

    def answers(query: str) -> Any:
        asked.append(query)
        return vector((9.0, 0.25 if "canary-1" in query else 0.5)) if "lag" in query else matrix([])

    questions = [Question("lag", 'lag{ns="$namespace",d="$deployment",p="$predictor"}'), Question("cost", "lag_all")]
    found = asyncio.run(ServerMetrics(server(answers), roles, questions).read())
    assert {(s.role, s.measure, s.value, s.at) for s in found} == {
        ("canary", "query/lag", Gauge(0.25), 9.0),
        ("stable", "query/lag", Gauge(0.5), 9.0),
        ("canary", "query/cost", Gauge(0.5), 9.0),
    }
    assert 'lag{ns="models",d="flights",p="canary-1"}' in asked


@pytest.mark.parametrize("answer", [vector(), vector((1, 1), (1, 2)), httpx.Response(400, json={"status": "error"})])
def test_a_query_that_gives_no_single_number_is_no_evidence_and_hides_no_other(answer: Any) -> None:
    def answers(query: str) -> Any:
        return answer if query == "mine" else vector((1.0, 5.0)) if query == "other" else matrix([])

    questions = [Question("a", "mine"), Question("b", "other")]
    found = asyncio.run(ServerMetrics(server(answers), roles, questions).read())
    assert [(s.measure, s.value) for s in found] == [("query/b", Gauge(5.0))]


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (httpx.Response(503, text="starting"), True),
        (httpx.Response(400, json={"status": "error", "errorType": "bad_data", "error": "parse"}), False),
        (httpx.Response(200, text="<html>"), True),
    ],
)
def test_a_prometheus_that_cannot_answer_says_whether_again_helps(answer: httpx.Response, again: bool) -> None:
    with pytest.raises(PortError, match="Prometheus at http://prometheus") as raised:
        asyncio.run(server(lambda _: answer).query("up"))
    assert raised.value.again is again


def test_the_token_is_sent_and_in_no_error() -> None:
    asked: list[httpx.Request] = []
    refusing = server(lambda _: httpx.Response(401, text="no"), lambda: "s3cret", asked)
    with pytest.raises(PortError) as raised:
        asyncio.run(refusing.query("up"))
    assert asked[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in str(raised.value)


# ------------------------------------------------------------ scraping
def scraped(pages_by_url: dict[str, Any], targets: list[Target]) -> tuple[tuple[Series, ...], list[str]]:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        found = pages_by_url[str(request.url)]
        return found if isinstance(found, httpx.Response) else httpx.Response(200, text=found)

    async def look() -> tuple[Roles, list[Target]]:
        return ROLES, targets

    async def read() -> tuple[Series, ...]:
        client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        scraper = Scraper(clock=lambda: 50.0, client=client)
        one, two = PodMetrics(scraper, look), PodMetrics(scraper, look)
        found, _ = await asyncio.gather(one.read(), two.read())
        return found

    return asyncio.run(read()), asked


STABLE = Target("http://10.0.0.1:8000/prometheus", "p0", "default")
CANARY = Target("http://10.0.0.2:8000/prometheus", "p1", "canary-1", "2")
GATEWAY = Target("http://10.0.0.9:15020/stats/prometheus", "g0")


def test_pods_are_scraped_and_a_page_that_several_want_is_asked_for_once() -> None:
    sites = {
        STABLE.url: pages.executor("default", {"200": 80}),
        CANARY.url: pages.executor("canary-1", {"200": 15, "500": 5}, version="2"),
        GATEWAY.url: pages.gateway("flights-canary-1", {("503", "UH"): 4}),
    }
    found, asked = scraped(sites, [STABLE, CANARY, GATEWAY])
    errors = {(s.role, s.source): s.value for s in found if s.measure == "errors"}
    assert errors == {
        ("stable", "executor p0"): Tally(80, 0),
        ("canary", "executor p1"): Tally(20, 5),
        ("canary", "gateway g0"): Tally(4, 4),
        ("stable", "gateway g0"): Tally(0, 0),
    }
    assert sorted(asked) == sorted(sites)


def test_counters_that_do_not_exist_yet_stand_at_zero_so_that_the_first_errors_count() -> None:
    found, _ = scraped({CANARY.url: "go_goroutines 1\n"}, [CANARY])
    assert found == (Series("canary", "errors", Tally(0, 0), 50.0, "executor p1", version="2"),)


def test_a_pod_that_does_not_answer_has_no_figures_and_hides_no_other() -> None:
    found, _ = scraped(
        {STABLE.url: pages.executor("default", {"200": 8}), CANARY.url: httpx.Response(500)}, [STABLE, CANARY]
    )
    assert {s.role for s in found} == {"stable"}


def test_nothing_at_all_is_an_error() -> None:
    with pytest.raises(PortError, match="500"):
        scraped({STABLE.url: httpx.Response(500)}, [STABLE])


def test_the_answer_of_prometheus_is_json_or_an_error() -> None:
    text = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [3, "7"]}})
    (sample,) = asyncio.run(server(lambda _: httpx.Response(200, text=text)).query("1"))
    assert (sample.value, sample.at) == (7.0, 3.0)

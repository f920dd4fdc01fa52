"""The short way over HTTP answers as MLServer's own application does, and leaves to it what it does not know."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ROWS
from mlserver.settings import ModelSettings

from tidegate.serving.fast import FastApplication
from tidegate.serving.runtime import SavedModelRuntime
from tidegate.serving.settings import Extras, container, model_settings
from tidegate.serving.verifying import UntrustedModelError


@pytest.fixture(scope="module")
def runtime(model: Path, tmp_path_factory: pytest.TempPathFactory) -> SavedModelRuntime:
    slices = tmp_path_factory.mktemp("slices") / "slices.json"
    extras = Extras(instance="flights-1", keep_answers=10, slices_file=str(slices))
    settings = ModelSettings.model_validate(json.loads(model_settings("flights", str(model), "00001", extras)))
    made = SavedModelRuntime(settings)
    asyncio.run(made.load())
    made.ready = True
    return made


class Answer:
    def __init__(self) -> None:
        self.status, self.headers, self.body = 0, {}, b""

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.body += message["body"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def long_way(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"MLServer"})


def ask(
    runtime: SavedModelRuntime, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST"
) -> Answer:
    async def model_of(name: str, version: str | None) -> Any:
        if name != "flights":
            raise LookupError(name)
        return runtime

    async def scene() -> Answer:
        answer = Answer()
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        parts = [{"type": "http.request", "body": data[i : i + 50], "more_body": True} for i in range(0, len(data), 50)]
        parts.append({"type": "http.request", "body": b"", "more_body": False})
        path_only, _, query = path.partition("?")
        scope = {
            "type": "http", "method": method, "path": path_only, "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()],
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return parts.pop(0)

        await FastApplication(long_way, model_of)(scope, receive, answer.send)
        return answer

    return asyncio.run(scene())


def features(distance: float = 1.0) -> dict[str, Any]:
    return {
        "id": "7",
        "inputs": [
            {"name": "distance", "datatype": "FP32", "shape": [1], "data": [distance]},
            {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": ["UA"]},
        ],
    }


def test_it_answers_in_the_protocols_words_and_says_who_answered(runtime: SavedModelRuntime) -> None:
    answer = ask(runtime, "/v2/models/flights/infer", features())

    assert answer.status == 200 and answer.headers["x-served-by"] == "flights-1"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.json["id"] == "7" and answer.json["model_version"] == "00001"
    outputs = {o["name"]: o for o in answer.json["outputs"]}
    assert outputs["carrier"]["data"] == ["UA"] and outputs["carrier"]["datatype"] == "BYTES"
    assert outputs["probability"]["shape"] == [1, 1] and 0 < outputs["probability"]["data"][0] < 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "no JSON"),
        ({}, "with at least one"),
        ({"inputs": [{"name": "a"}]}, "inputs[0] must have"),
        ({"inputs": [{"name": "a", "datatype": "FP32", "shape": [1], "data": 3}]}, "shape and data lists"),
        ({"inputs": [{"name": "distance", "datatype": "FP32", "shape": [1], "data": ["far"]}]}, "no FP32"),
    ],
)
def test_what_does_not_fit_is_told_and_not_counted(body: Any, says: str, runtime: SavedModelRuntime) -> None:
    before = runtime.counter.whole.requests

    answer = ask(runtime, "/v2/models/flights/infer", body)

    assert answer.status == 400 and says in answer.json["error"]
    assert runtime.counter.whole.requests == before


@pytest.mark.parametrize(
    ("path", "headers", "method"),
    [
        ("/v2/models/other/infer", {}, "POST"),
        ("/v2/models/flights", {}, "GET"),
        ("/v2/models/flights/infer", {"inference-header-content-length": "10"}, "POST"),
        ("/v2/health/ready", {}, "GET"),
    ],
)
def test_the_rest_is_mlservers(path: str, headers: dict[str, str], method: str, runtime: SavedModelRuntime) -> None:
    assert ask(runtime, path, features(), headers, method).body == b"MLServer"


def test_rewards_come_by_feedback(runtime: SavedModelRuntime) -> None:
    good = ask(runtime, "/v2/models/flights/feedback", {"reward": 1, "name": "click"})
    bad = ask(runtime, "/v2/models/flights/feedback", {"reward": "much"})

    assert good.status == 200 and runtime.counter.whole.rewards["click"].total == 1.0
    assert bad.status == 400 and "expected" in bad.json["error"]


def test_answers_are_kept_for_who_compares(runtime: SavedModelRuntime) -> None:
    ask(runtime, "/v2/models/flights/infer", {**features(), "id": "kept"})
    found = ask(runtime, "/tidegate/answers?model=flights&after=0", b"", method="GET").json
    number, request_id, outputs = found[-1]

    assert request_id == "kept" and outputs["carrier"] == ["UA"]
    assert ask(runtime, f"/tidegate/answers?model=flights&after={number}", b"", method="GET").json == []


def test_slices_may_be_asked_for_while_it_serves(runtime: SavedModelRuntime) -> None:
    Path(runtime.extras.slices_file).write_text('["field:carrier=UA", "header:x-tier=gold"]')
    list(runtime._collector.collect())
    ask(runtime, "/v2/models/flights/infer", features(), {"x-tier": "gold"})
    raw = json.loads((Path(runtime._settings.parameters.uri) / "Samples/requests.json").read_text())["examples_base64"]
    whole = {"inputs": [{"name": "examples", "datatype": "BYTES", "shape": [1], "data": [raw[1]]}]}
    ask(runtime, "/v2/models/flights/infer", whole)

    counted = {label: counts.requests for label, counts in runtime.counter.by_label()}

    assert ROWS[1][1] == "UA"
    assert counted["field:carrier=UA"] == 2 and counted["header:x-tier=gold"] == 1


def test_a_model_that_was_changed_is_not_loaded(model: Path) -> None:
    extras = Extras(digest="sha256:" + "1" * 64)
    settings = ModelSettings.model_validate(json.loads(model_settings("flights", str(model), "1", extras)))

    with pytest.raises(UntrustedModelError, match="expected the model sha256:1111"):
        asyncio.run(SavedModelRuntime(settings).load())


def test_seldons_container_contract_becomes_mlservers_settings() -> None:
    environment = {
        "PREDICTIVE_UNIT_ID": "flights",
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "9001",
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "9501",
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": "6001",
        "PREDICTIVE_UNIT_METRICS_ENDPOINT": "/prometheus",
        "PREDICTIVE_UNIT_PARAMETERS": json.dumps(
            [
                {"name": "model_uri", "value": "/mnt/models/flights", "type": "STRING"},
                {"name": "batch_size", "value": "16", "type": "INT"},
                {"name": "payload_share", "value": "0.5", "type": "FLOAT"},
                {"name": "slices", "value": '["header:a=b"]', "type": "STRING"},
            ]
        ),
        "MODEL_DIGEST": "sha256:" + "2" * 64,
    }

    said = container(environment)
    server, told = json.loads(said.server), json.loads(said.model)

    assert (server["http_port"], server["grpc_port"], server["metrics_port"]) == (9001, 9501, 6001)
    assert server["metrics_endpoint"] == "/prometheus" and server["host"] == "0.0.0.0"
    assert told["name"] == "flights" and told["parameters"]["uri"] == "/mnt/models/flights"
    extras = Extras.read(told["parameters"]["extra"])
    assert (extras.batch_size, extras.payload_share, extras.slices) == (16, 0.5, ("header:a=b",))
    assert extras.digest == environment["MODEL_DIGEST"]
    assert json.loads(container({}).model)["parameters"]["uri"] == "/mnt/models"

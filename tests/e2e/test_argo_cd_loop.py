"""Git, Argo CD and the operator together, without a human: a commit asks for a model, a commit says what came of it."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import gitops_place as place
from tests.e2e.serving_place import going, install, rollout, serve, start_operator
from tidegate.kube.access import Access
from tidegate.kube.client import Api, ApiError, Json, Kube
from tidegate.kube.resources import MODEL_ROLLOUTS, SELDON_DEPLOYMENTS
from tidegate.operator.reading import at_rest
from tidegate.seldon.predictors import is_canary, model_of

pytestmark = pytest.mark.e2e
_LOG = logging.getLogger(__name__)
LIVE = "live/flights.yaml"
PATIENCE = 300.0


def asking(uri: str, namespace: str, url: str) -> Json:
    git = {"repository": url, "path": LIVE, "author": "tidegate <tidegate@example.org>"}
    body = rollout("flights", uri, git=git)
    body["metadata"]["namespace"] = namespace
    return body


def manifest(uri: str, served: Json, namespace: str, url: str) -> str:
    served = {key: value for key, value in served.items() if key != "status"}
    served["metadata"] = {"name": "flights", "namespace": namespace}
    parts = [yaml.safe_dump(part, sort_keys=False) for part in (asking(uri, namespace, url), served)]
    return "# Written by people and by tidegate.\n" + "---\n".join(parts)


async def served_in(api: Api, namespace: str) -> list[Json]:
    found: list[Json] = (await api.get(SELDON_DEPLOYMENTS.path(namespace, "flights")))["spec"]["predictors"]
    return found


async def until_over(api: Api, namespace: str, uri: str) -> Json:
    """The rollout to `uri`, at its end."""
    began = time.monotonic()
    while True:
        body = await api.get(MODEL_ROLLOUTS.path(namespace, "flights"))
        status = body.get("status") or {}
        if status.get("model") == uri and status.get("phase") in ("Promoted", "RolledBack"):
            return body
        assert time.monotonic() - began < PATIENCE, f"not over: {json.dumps(status)[:2000]}"
        await asyncio.sleep(0.5)


async def until_tried(api: Api, namespace: str) -> None:
    """A canary answers requests."""
    began = time.monotonic()
    while not any(is_canary(each) and each.get("traffic") for each in await served_in(api, namespace)):
        assert time.monotonic() - began < PATIENCE
        await asyncio.sleep(0.3)


async def until_said(checkout: place.Checkout, subject: str) -> None:
    began = time.monotonic()
    while checkout.pull()[0] != subject:
        assert time.monotonic() - began < PATIENCE, checkout.pull()
        await asyncio.sleep(1)


def test_a_commit_asks_for_a_model_and_a_commit_says_what_came_of_it(
    access: Access, namespace: str, tmp_path: Path
) -> None:
    name = f"flights-{secrets.token_hex(3)}"
    url = f"{place.GIT}/{name}.git"

    async def scene() -> dict[str, Any]:
        async with Kube(access, connections=32) as api:
            if reason := place.missing(await place.there_is_argo_cd(api)):
                pytest.skip(reason)
            await install(api)
            await place.bring_settings(api)
            await serve(api, namespace, "flights", "test://good/1")  # for its manifest, and the models' ConfigMap
            deployment = await api.get(SELDON_DEPLOYMENTS.path(namespace, "flights"))
            await api.delete(SELDON_DEPLOYMENTS.path(namespace, "flights"))
            checkout = place.Checkout(tmp_path, url)
            first = checkout.push({LIVE: manifest("test://good/1", deployment, namespace, url)}, "what is live")
            async with going(api, namespace) as gateway:
                await start_operator(api, namespace)
                await api.post(place.APPLICATIONS, place.application(name, url, namespace))
                try:
                    await place.until(api, name, "synced", place.at(first))
                    await place.until(api, name, "healthy", place.healthy)
                    told = await story(api, checkout, namespace, name)
                    told["lost"] = dict(gateway.lost)  # before all is taken down
                finally:
                    checkout.close()
                    await api.delete(f"{place.APPLICATIONS}/{name}")
                    await gone(api, namespace)
                return told

    told = asyncio.run(scene())
    _LOG.warning("%s", told)
    assert not told["lost"]


async def story(api: Api, checkout: place.Checkout, namespace: str, app: str) -> dict[str, Any]:
    """A good model, with somebody's commit about something else in the middle; then a bad one."""
    began = time.monotonic()
    checkout.push({LIVE: checkout.text(LIVE).replace("uri: test://good/1", "uri: test://good/2", 1)}, "try 2")
    await place.hurry(api, app)
    await until_tried(api, namespace)
    note = yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note"}, "data": {"a": "b"}})
    other = checkout.push({"live/note.yaml": note}, "something else")
    await place.until(api, app, "at the other commit", place.at(other))
    assert any(is_canary(each) for each in await served_in(api, namespace)), "Argo CD has undone the rollout"
    assert (await until_over(api, namespace, "test://good/2"))["status"]["phase"] == "Promoted"
    await until_said(checkout, "flights: promote 2")
    promoted = time.monotonic() - began
    await place.until(api, app, "healthy", place.healthy)
    (predictor,) = await served_in(api, namespace)
    assert model_of(predictor) == "test://good/2"
    _, deployment = yaml.safe_load_all(checkout.text(LIVE))
    assert model_of(deployment["spec"]["predictors"][0]) == "test://good/2"

    began = time.monotonic()
    checkout.push({LIVE: checkout.text(LIVE).replace("uri: test://good/2", "uri: test://bad/3", 1)}, "try 3")
    await place.hurry(api, app)
    await until_said(checkout, "flights: roll back 3, 2 runs on")
    rolled_back = time.monotonic() - began
    asked, deployment = yaml.safe_load_all(checkout.text(LIVE))
    assert asked["spec"]["model"]["uri"] == "test://good/2"
    await place.until(api, app, "healthy again", place.healthy)
    (predictor,) = await served_in(api, namespace)
    assert model_of(predictor) == model_of(deployment["spec"]["predictors"][0]) == "test://good/2"
    assert at_rest(await api.get(MODEL_ROLLOUTS.path(namespace, "flights")))
    return {"seconds from push to promotion commit": promoted, "to rollback commit": rolled_back}


async def gone(api: Api, namespace: str) -> None:
    """Argo CD removes what it made while the operator can still let go of it."""
    for _ in range(120):
        try:
            await api.get(MODEL_ROLLOUTS.path(namespace, "flights"))
        except ApiError:
            return
        await asyncio.sleep(0.5)

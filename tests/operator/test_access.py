"""Finding the API server, and talking to it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tidegate.kube.access import Access, AccessError, find, from_kubeconfig, in_cluster
from tidegate.kube.client import ApiError, Kube, each
from tidegate.kube.resources import DEPLOYMENTS, PODS


def kubeconfig(folder: Path, user: dict[str, Any], **cluster: Any) -> Path:
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "models"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://api:8080/", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(config))
    return file


def test_a_kubeconfigs_current_context(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    access = find(
        environ={"KUBECONFIG": str(kubeconfig(tmp_path, {"token": "t"}, **{"certificate-authority": "ca.crt"}))}
    )
    assert (access.server, access.namespace, access.ca) == ("http://api:8080", "models", b"CA")
    assert access.token is not None
    assert access.token() == "t"
    assert "token" not in repr(access)


def test_a_credential_plugin_is_run_without_a_shell(tmp_path: Path) -> None:
    script = "import json,os;print(json.dumps({'status':{'token':os.environ['WHO']+';$(x)'}}))"
    plugin = {"command": sys.executable, "args": ["-c", script], "env": [{"name": "WHO", "value": "me"}]}
    access = from_kubeconfig(kubeconfig(tmp_path, {"exec": plugin}))
    assert access.token is not None
    assert access.token() == "me;$(x)"


@pytest.mark.parametrize(
    ("user", "context", "said"),
    [({}, "there", "expected context 'there', found here"), ({"client-key": "no.key"}, "", "client-key")],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(
    tmp_path: Path, user: dict[str, Any], context: str, said: str
) -> None:
    with pytest.raises(AccessError, match=said):
        from_kubeconfig(kubeconfig(tmp_path, user), context)


def test_a_plugin_that_fails_tells_nothing_that_it_printed(tmp_path: Path) -> None:
    plugin = {"command": sys.executable, "args": ["-c", "print('s3cret')"]}
    access = from_kubeconfig(kubeconfig(tmp_path, {"exec": plugin}))
    assert access.token is not None
    with pytest.raises(AccessError) as raised:
        access.token()
    assert "s3cret" not in str(raised.value)


def test_a_pods_token_is_read_again_since_it_is_replaced(tmp_path: Path) -> None:
    for name, text in (("namespace", "tidegate\n"), ("ca.crt", "CA"), ("token", "one")):
        (tmp_path / name).write_text(text)
    access = in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}, tmp_path)
    assert access.server == "https://[fd00::1]:6443"
    assert access.token is not None
    assert access.token() == "one"
    (tmp_path / "token").write_text("two")
    assert access.token() == "two"


def test_no_cluster_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(AccessError, match="set KUBECONFIG"):
        find(environ={})


# ------------------------------------------------------------ requests
def kube(handle: Any) -> Kube:
    made = Kube(Access("http://api", token=lambda: "t"))
    made._http = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(handle))
    return made


def test_requests_carry_their_kind_and_are_counted() -> None:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"ok": True})

    async def scene() -> Kube:
        api = kube(handle)
        await api.patch(DEPLOYMENTS.path("ns", "a b"), "json", [{"op": "test", "path": "/x", "value": 1}])
        await api.get(PODS.path(None))
        return api

    api = asyncio.run(scene())
    assert asked[0].url.raw_path == b"/apis/apps/v1/namespaces/ns/deployments/a%20b?fieldManager=tidegate"
    assert asked[0].headers["content-type"] == "application/json-patch+json"
    assert asked[0].headers["authorization"] == "Bearer t"
    assert json.loads(asked[0].content) == [{"op": "test", "path": "/x", "value": 1}]
    assert api.asked == {("PATCH", "deployments"): 1, ("GET", "pods"): 1}


@pytest.mark.parametrize(
    ("status", "again", "conflict", "missing"),
    [(404, False, False, True), (409, True, True, False), (422, False, True, False), (429, True, False, False),
     (403, False, False, False), (500, True, False, False)],
)  # fmt: skip
def test_what_the_api_server_answers_says_whether_again_helps(
    status: int, again: bool, conflict: bool, missing: bool
) -> None:
    with pytest.raises(ApiError, match="because") as raised:
        asyncio.run(kube(lambda _: httpx.Response(status, json={"message": "because"})).get("/api/v1/pods"))
    error = raised.value
    assert (error.again, error.conflict, error.missing) == (again, conflict, missing)


def test_no_answer_is_worth_another_try() -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(ApiError, match="no answer") as raised:
        asyncio.run(kube(handle).get("/api/v1/pods"))
    assert raised.value.again


def test_a_list_is_read_page_by_page() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        first = "continue" not in request.url.params
        assert request.url.params["limit"] == "2"
        return httpx.Response(
            200,
            json={
                "items": [{"n": 1}, {"n": 2}] if first else [{"n": 3}],
                "metadata": {"continue": "more" if first else ""},
            },
        )

    async def scene() -> list[int]:
        return [item["n"] async for item in each(kube(handle), PODS.path("ns"), page=2)]

    assert asyncio.run(scene()) == [1, 2, 3]

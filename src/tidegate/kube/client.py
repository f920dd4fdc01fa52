"""The Kubernetes API over HTTP: one connection pool, JSON in and out, errors that say whether trying again can help."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol, Self

import httpx

from tidegate.kube.access import Access

Json = dict[str, Any]
"""An object of the API, as its JSON has it."""
MANAGER = "tidegate"
"""Who writes, as `managedFields` tell it."""
_PATCHES = {"json": "application/json-patch+json", "merge": "application/merge-patch+json"}
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}


class ApiError(Exception):
    """What the API server answered instead. `again`: whether trying again can help; `status` is 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.again = status == 0 or status in _AGAIN

    @property
    def missing(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Somebody was faster: 409, or a JSON patch whose test failed (422)."""
        return self.status in (409, 422)


class Api(Protocol):
    """What the rest of tidegate uses of the Kubernetes API. All raise ApiError."""

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json: ...

    async def patch(self, path: str, kind: Literal["json", "merge"], body: Json | Sequence[Json]) -> Json: ...

    async def post(self, path: str, body: Json) -> Json: ...

    async def put(self, path: str, body: Json) -> Json: ...

    async def delete(self, path: str) -> None: ...


class Kube:
    """An API server. `asked` counts requests by verb and resource, for those who watch what they cost."""

    def __init__(self, access: Access, *, seconds: float = 15.0, connections: int = 16) -> None:
        self.access = access
        self.asked: Counter[tuple[str, str]] = Counter()
        verify = access.context() if access.server.startswith("https") else True
        self._http = httpx.AsyncClient(
            base_url=access.server,
            verify=verify,
            timeout=seconds,
            trust_env=False,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={"User-Agent": MANAGER, "Accept": "application/json"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self._http.aclose()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        return await self._ask("GET", path, query=query)

    async def patch(self, path: str, kind: Literal["json", "merge"], body: Json | Sequence[Json]) -> Json:
        return await self._ask("PATCH", path, body, _PATCHES[kind], {"fieldManager": MANAGER})

    async def post(self, path: str, body: Json) -> Json:
        return await self._ask("POST", path, body, query={"fieldManager": MANAGER})

    async def put(self, path: str, body: Json) -> Json:
        return await self._ask("PUT", path, body, query={"fieldManager": MANAGER})

    async def delete(self, path: str) -> None:
        await self._ask("DELETE", path)

    async def _ask(
        self,
        verb: str,
        path: str,
        body: Any = None,
        kind: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Json:
        self.asked[verb, _resource(path)] += 1
        headers = {"Authorization": f"Bearer {self.access.token()}"} if self.access.token else {}
        content = None
        if body is not None:
            content, headers["Content-Type"] = json.dumps(body).encode(), kind
        try:
            answer = await self._http.request(verb, path, params=query, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise ApiError(f"{verb} {path}: no answer ({type(error).__name__})") from None
        if answer.is_success:
            return dict(answer.json())
        raise ApiError(f"{verb} {path}: {answer.status_code} {_said(answer)}", answer.status_code)


async def each(api: Api, path: str, query: Mapping[str, str] | None = None, page: int = 200) -> AsyncIterator[Json]:
    """Every object of a list, `page` of them in memory at a time."""
    asked = {**(query or {}), "limit": str(page)}
    while True:
        answer = await api.get(path, asked)
        for item in answer.get("items") or []:
            yield item
        token = (answer.get("metadata") or {}).get("continue")
        if not token:
            return
        asked["continue"] = token


def _resource(path: str) -> str:
    """`pods` of `/api/v1/namespaces/default/pods/a`."""
    pieces = path.strip("/").split("/")
    after = pieces[3 if pieces[0] == "apis" else 2 :]
    if after[:1] == ["namespaces"] and len(after) > 2:
        after = after[2:]
    return after[0] if after else path


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message", ""))
    except (ValueError, AttributeError):
        return answer.reason_phrase

"""An API server that has nothing but ModelRollouts, made as they are asked for: discovery, lists, a watch."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tidegate.kube.resources import MODEL_ROLLOUTS
from tidegate.operator.crd import KIND

Make = Callable[[int], dict[str, Any]]


class PlayedApi:
    """`make(i)` gives the i-th ModelRollout of `count`."""

    def __init__(self, count: int, make: Make) -> None:
        self._count, self._make = count, make
        self.asked: Counter[str] = Counter()
        self._news: list[asyncio.Queue[int]] = []

    async def start(self) -> tuple[web.AppRunner, str]:
        """The runner (to be cleaned up) and the address."""
        app = web.Application()
        app.add_routes([web.get("/{path:.*}", self._get)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        return runner, f"http://{host}:{port}"

    def touch(self, index: int) -> None:
        for queue in self._news:
            queue.put_nowait(index)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        path, group = "/" + request.match_info["path"], MODEL_ROLLOUTS.group
        if path.endswith(f"/{MODEL_ROLLOUTS.plural}"):
            if request.query.get("watch") == "true":
                self.asked["watch"] += 1
                return await self._watch(request)
            self.asked["list"] += 1
            return web.json_response(self._list(request))
        self.asked["discovery"] += 1
        version = {"groupVersion": MODEL_ROLLOUTS.api_version, "version": MODEL_ROLLOUTS.version}
        extensions = {"groupVersion": "apiextensions.k8s.io/v1", "version": "v1"}
        known: dict[str, Any] = {
            "/api": {"versions": ["v1"]},
            "/api/v1": _resources("v1", "namespaces", "Namespace", namespaced=False),
            "/apis": {
                "groups": [
                    {"name": name, "versions": [version], "preferredVersion": version}
                    for name, version in ((group, version), ("apiextensions.k8s.io", extensions))
                ]
            },
            "/apis/apiextensions.k8s.io/v1": _resources(
                "apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
            ),
            f"/apis/{MODEL_ROLLOUTS.api_version}": _resources(MODEL_ROLLOUTS.api_version, MODEL_ROLLOUTS.plural, KIND),
        }
        if path not in known:
            return web.json_response({"message": f"{path} is not played"}, status=404)
        return web.json_response(known[path])

    def _list(self, request: web.Request) -> dict[str, Any]:
        begin = int(request.query.get("continue") or 0)
        end = min(self._count, begin + int(request.query.get("limit") or self._count))
        more = {"continue": str(end)} if end < self._count else {}
        return {
            "kind": f"{KIND}List",
            "apiVersion": MODEL_ROLLOUTS.api_version,
            "metadata": {"resourceVersion": "1", **more},
            "items": [self._make(index) for index in range(begin, end)],
        }

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[int] = asyncio.Queue()
        self._news.append(queue)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while True:
                event = {"type": "MODIFIED", "object": self._make(await queue.get())}
                await response.write(json.dumps(event).encode() + b"\n")
        return response


def _resources(version: str, plural: str, kind: str, namespaced: bool = True) -> dict[str, Any]:
    entry = {
        "name": plural,
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": ["get", "list", "watch", "patch"],
    }
    return {"groupVersion": version, "resources": [entry]}

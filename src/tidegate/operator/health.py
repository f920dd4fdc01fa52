"""The operator's own endpoints: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import generate_latest

from tidegate.operator.telling import Telling

STUCK_SECONDS = 60.0
"""A queue at which nobody looked for so long is stuck: the kubelet restarts the pod."""


async def serve(
    host: str, port: int, telling: Telling, alive: Callable[[], bool], ready: Callable[[], bool]
) -> web.AppRunner:
    """Listens until the runner is cleaned up. Raises: OSError where the port is taken."""

    def said(well: bool) -> web.Response:
        return web.Response(text="ok\n" if well else "no\n", status=200 if well else 503)

    async def healthz(_: web.Request) -> web.Response:
        return said(alive())

    async def readyz(_: web.Request) -> web.Response:
        return said(ready())

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(telling.registry)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner

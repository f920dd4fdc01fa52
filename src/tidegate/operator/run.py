"""An operator from start to end: it waits to lead, works while it leads, and ends when it does not any more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.kube.access import Access
from tidegate.kube.client import Api, ApiError, Kube
from tidegate.kube.resources import MODEL_ROLLOUTS
from tidegate.operator.git import GitRecorder
from tidegate.operator.health import STUCK_SECONDS, serve
from tidegate.operator.lease import Leader, LostError, Timing
from tidegate.operator.measuring import Gateway, Measuring
from tidegate.operator.queue import Key, Queue
from tidegate.operator.reconcile import Reconciler
from tidegate.operator.recording import Recorder
from tidegate.operator.remembering import Pace
from tidegate.operator.telling import Telling
from tidegate.operator.watch import Watch
from tidegate.prometheus.scraping import Scraper
from tidegate.prometheus.server import Server

_LOG = logging.getLogger(__name__)
LEASE = "tidegate-operator"


@dataclass(frozen=True, slots=True)
class Options:
    """What `tidegate operator` takes."""

    namespaces: tuple[str, ...] = ()
    """Empty: all."""
    prometheus: str = ""
    """A Prometheus server's address; empty: pods are asked."""
    scrape: bool = False
    """Ask pods although there is a Prometheus server, which then answers requirements' own queries only."""
    gateway: Gateway | None = field(default_factory=Gateway)
    interval: float = 5.0
    workers: int = 8
    elect: bool = True
    lease_seconds: int = 15
    """After so long without a sign of life another operator takes over."""
    host: str = "0.0.0.0"  # noqa: S104  (the kubelet's probes come from outside of the pod)
    port: int = 8080


async def operate(access: Access, options: Options, recorder: Recorder | None = None) -> int:
    """Runs until SIGTERM or SIGINT (0), or until another leads (1: start again, and wait to lead). Raises: OSError."""
    telling = Telling()
    async with Kube(access) as api:
        telling.requests = api.asked
        scraper = Scraper()
        server = Server(options.prometheus) if options.prometheus else None
        measuring = Measuring(api, scraper, time.time, server, options.gateway, scrape=options.scrape or server is None)
        recorder = recorder or GitRecorder(api)
        reconciler = Reconciler(api, measuring, telling, time.time, recorder, Pace(interval=options.interval))

        async def turn(key: Key) -> float | None:
            with telling.turns.time():
                return await reconciler.turn(key)

        queue = Queue(turn, options.workers)
        telling.queue.set_function(lambda: len(queue))
        leader = Leader(api, access.namespace, LEASE, _identity(), time.monotonic, Timing.of(options.lease_seconds))
        telling.leading.set_function(lambda: float(leader.leading or not options.elect))
        loop = asyncio.get_running_loop()

        def alive() -> bool:
            return not queue.beat or loop.time() - queue.beat < STUCK_SECONDS

        up = asyncio.Event()
        runner = await serve(options.host, options.port, telling, alive, lambda: up.is_set() or not leader.leading)
        try:
            return await _lead(api, access, options, leader, queue, Watch(queue, telling), up)
        finally:
            await leader.release()
            await runner.cleanup()
            await scraper.close()
            if server is not None:
                await server.close()


async def installed(api: Api, namespaces: Sequence[str], seconds: float = 5.0) -> None:
    """Returns once the API server knows ModelRollouts: kopf would wait for ever for a resource that comes later."""
    while True:
        try:
            await api.get(MODEL_ROLLOUTS.path(namespaces[0] if namespaces else None), {"limit": "1"})
            return
        except ApiError as error:
            missing = "the CRD of ModelRollout is not there: `tidegate operator --print-crd | kubectl apply -f -`"
            _LOG.warning("%s", missing if error.missing else error)
        await asyncio.sleep(seconds)


async def _lead(
    api: Api, access: Access, options: Options, leader: Leader, queue: Queue, watch: Watch, up: asyncio.Event
) -> int:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):  # kopf takes them over once it runs
        loop.add_signal_handler(number, told.set)
    if options.elect and not await _first(leader.acquire(), told.wait()):
        return 0
    if not await _first(installed(api, options.namespaces), told.wait()):
        return 0
    work: list[Coroutine[Any, Any, Any]] = [watch.run(access, options.namespaces, up), queue.run(), told.wait()]
    if options.elect:
        work.append(leader.hold())
    try:
        await _any(work)
    except LostError as error:
        _LOG.error("%s; this operator stops", error)
        return 1
    return 0


async def _first(one: Coroutine[Any, Any, Any], other: Coroutine[Any, Any, Any]) -> bool:
    """Whether `one` ended first; the other is cancelled."""
    tasks = [asyncio.create_task(one), asyncio.create_task(other)]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await _cancelled(tasks)
    return tasks[0] in done and tasks[0].result() is None


async def _any(work: list[Coroutine[Any, Any, Any]]) -> None:
    """Until one ends; the others are cancelled. Raises what it raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancelled(tasks)
    for task in done:
        task.result()


async def _cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


def _identity() -> str:
    """A pod's name is never used twice, and its container has ended when the next one starts; processes need more."""
    return os.environ.get("POD_NAME") or f"{socket.gethostname()}_{os.getpid()}_{int(time.time())}"

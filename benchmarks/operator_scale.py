"""What ModelRollouts at rest cost the operator: `python -m benchmarks.operator_scale [--cluster] [N ...]`.

Starts `tidegate operator` over N ModelRollouts that have ended (by default 1000 and 10000; objects only), and reads its
memory, its processor time and its requests: once it has seen them all, after a quiet minute, and after one in ten was
touched, so that the watch brought each once more. The API server is played here, so that what is measured is the
operator; with --cluster it is the one that KUBECONFIG names, where the objects are made (that takes its time).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import psutil
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.played_api import PlayedApi
from tidegate.kube.access import find
from tidegate.kube.client import ApiError, Kube
from tidegate.kube.resources import MODEL_ROLLOUTS
from tidegate.operator import crd
from tidegate.operator.reading import read
from tidegate.operator.status import status
from tidegate.rollout.advance import start
from tidegate.rollout.observation import Routing
from tidegate.rollout.state import Phase

PORT = 18080
AT_ONCE = 24
QUIET_SECONDS = 60
SPEC: dict[str, Any] = {
    "model": {"uri": "s3://models/flights/2", "digest": "sha256:" + "0" * 64, "version": "2"},
    "target": {"seldonDeployment": {"name": "flights"}},
    "strategy": {"canary": {"steps": [{"weight": w, "minSeconds": 60, "minRequests": 500} for w in (5, 20, 50)]}},
    "requirements": [
        {"name": "errors", "errorRate": True, "versusStable": {"margin": 0.005}},
        {"name": "latency", "latency": {"quantile": 0.99}, "versusStable": {"margin": 0.2}},
        {"name": "never", "errorRate": True, "atMost": 0.05},
    ],
}


@dataclass
class Reading:
    """Of the operator's process."""

    rollouts: int
    moment: str
    memory: float
    """MiB, resident."""
    peak: float
    cpu: float
    """Seconds of processor time since the last reading."""
    requests: float
    """To the API server since the last reading, besides the watch."""


async def make(api: Kube, namespace: str, count: int) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with free:
            made = await api.post(MODEL_ROLLOUTS.path(namespace), unborn(number))
            path = MODEL_ROLLOUTS.path(namespace, made["metadata"]["name"], "status")
            await api.patch(path, "merge", {"status": ended(made)})

    await asyncio.gather(*(one(number) for number in range(count)))


def unborn(number: int) -> dict[str, Any]:
    meta = {"name": f"flights-{number:05d}"}
    return {"apiVersion": MODEL_ROLLOUTS.api_version, "kind": crd.KIND, "metadata": meta, "spec": SPEC}


def ended(body: dict[str, Any]) -> dict[str, Any]:
    """The status of a rollout that has ended, as the operator writes it."""
    rollout = read(body)
    assert rollout.plan is not None, rollout.problem
    state = start(rollout.plan, 1.8e9, "s3://models/flights/1")
    over = replace(state, phase=Phase.PROMOTED, outcome=Phase.PROMOTED, reason="every requirement is shown to hold")
    return status(rollout, rollout.plan, over, Routing(weights={"stable": 100}), 1.8e9, "")


def stored() -> Callable[[int], dict[str, Any]]:
    """The i-th ModelRollout as an API server gives it."""
    entry = {"manager": "tidegate", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}
    meta = {
        "namespace": "models",
        "generation": 1,
        "creationTimestamp": "2026-11-27T12:00:00Z",
        "resourceVersion": "1",
        "managedFields": [entry],
    }
    first = unborn(0)
    said = ended({**first, "metadata": {**first["metadata"], **meta, "uid": "u"}})

    def made(number: int) -> dict[str, Any]:
        body = unborn(number)
        return {**body, "metadata": {**body["metadata"], **meta, "uid": f"uid-{number:032d}"}, "status": said}

    return made


async def touch(api: Kube, namespace: str, count: int) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with free:
            path = MODEL_ROLLOUTS.path(namespace, f"flights-{number:05d}")
            await api.patch(path, "merge", {"metadata": {"annotations": {"touched": str(time.time())}}})

    await asyncio.gather(*(one(number) for number in range(0, count, 10)))


def figures() -> dict[str, float]:
    """The operator's own metrics."""
    page = httpx.get(f"http://127.0.0.1:{PORT}/metrics", trust_env=False).text
    found: dict[str, float] = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            key = name.partition("{")[0]
            found[key] = found.get(key, 0.0) + float(value)
    return found


def seen(count: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 600
    while time.monotonic() < until:
        assert process.poll() is None, "the operator ended"
        try:
            if figures().get("tidegate_rollouts") == count:
                return
        except httpx.HTTPError:
            pass
        time.sleep(2)
    raise SystemExit(f"the operator did not see {count} ModelRollouts within 10 minutes")


class Meter:
    def __init__(self, process: subprocess.Popen[bytes], rollouts: int) -> None:
        self._process, self._rollouts = psutil.Process(process.pid), rollouts
        self._cpu = self._requests = 0.0

    def read(self, moment: str) -> Reading:
        times, memory = self._process.cpu_times(), self._process.memory_info().rss
        with open(f"/proc/{self._process.pid}/status") as file:  # noqa: PTH123
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        cpu, requests = times.user + times.system, figures().get("tidegate_operator_requests_total", 0.0)
        made = Reading(self._rollouts, moment, memory / 2**20, peak / 2**10, cpu - self._cpu, requests - self._requests)
        self._cpu, self._requests = cpu, requests
        return made


async def observed(count: int, environment: dict[str, str], touched: Callable[[], Awaitable[None]]) -> list[Reading]:
    """One operator over `count` ModelRollouts."""
    command = [sys.executable, "-m", "tidegate", "operator", "--no-elect", "--host", "127.0.0.1", "--port", str(PORT)]
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        await asyncio.to_thread(seen, count, process)
        meter = Meter(process, count)
        found = [meter.read("all seen")]
        await asyncio.sleep(QUIET_SECONDS)
        found.append(meter.read(f"after {QUIET_SECONDS} s of quiet"))
        await touched()
        await asyncio.sleep(5)
        found.append(meter.read("one in ten touched"))
        return found
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)


async def played(count: int) -> list[Reading]:
    api = PlayedApi(count, stored())
    runner, address = await api.start()
    config = {
        "current-context": "played",
        "contexts": [{"name": "played", "context": {"cluster": "played", "user": "played"}}],
        "clusters": [{"name": "played", "cluster": {"server": address}}],
        "users": [{"name": "played", "user": {"token": "played"}}],
    }

    async def touched() -> None:
        for index in range(0, count, 10):
            api.touch(index)

    try:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(yaml.safe_dump(config))
            file.flush()
            return await observed(count, {"KUBECONFIG": file.name}, touched)
    finally:
        await runner.cleanup()


async def on_cluster(count: int) -> list[Reading]:
    namespace = f"tidegate-scale-{secrets.token_hex(3)}"
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    async with Kube(find(), seconds=60, connections=AT_ONCE) as api:
        try:
            await api.post(crds, crd.definition())
            await asyncio.sleep(3)
        except ApiError as error:
            if error.status != 409:
                raise
        await api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        try:
            await make(api, namespace, count)
            return await observed(count, {}, lambda: touch(api, namespace, count))
        finally:
            await api.delete(f"/api/v1/namespaces/{namespace}")


def main(arguments: list[str]) -> None:
    measure = on_cluster if "--cluster" in arguments else played
    counts = [int(argument) for argument in arguments if argument.isdigit()]
    table = Table("ModelRollouts", "moment", "memory MiB", "peak MiB", "cpu s", "requests")
    for count in counts or [1000, 10000]:
        for row in asyncio.run(measure(count)):
            numbers = (f"{row.memory:.0f}", f"{row.peak:.0f}", f"{row.cpu:.1f}", f"{row.requests:.0f}")
            table.add_row(str(row.rollouts), row.moment, *numbers)
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The flights model through Envoy and MLServer, next to seldon-core-microservice serving the same model, same requests.

Open loop: requests leave by the clock, latencies count from when they should have left. The rival stands alone, without
the executor and the mesh that Seldon puts before it. A `Comparison` is of the 99 % quantiles.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.comparison import ROOT, Comparison
from tidegate.models import latest
from tidegate.serving.load import Load, Sent, request
from tidegate.serving.local.place import Place

RIVAL = "seldon-core-microservice 1.17.1"
LOCK = ROOT / "benchmarks/seldon_rival.lock"
ENVIRONMENT = ROOT / ".venvs/seldon-rival"
TIDEGATE, UV = str(ROOT / ".venv/bin/tidegate"), str(ROOT / ".venv/bin/uv")
AIM = 0.25
SECONDS = float(os.environ.get("LATENCY_SECONDS", "10"))
RATES = (50, 200, 1000)
BURST = ((100, 4), (1000, 2), (100, 4))
"""Requests a second, for so many seconds: a tenfold burst."""


@dataclass(frozen=True)
class Measured:
    p50: float
    p99: float
    lost: int
    count: int

    @staticmethod
    def of(sent: Sent) -> Measured:
        """What was not answered counts as slower than anything."""
        latencies = sorted([*sent.latencies, *[30.0] * sent.losses])
        p50, p99 = (latencies[min(int(q * len(latencies)), len(latencies) - 1)] for q in (0.5, 0.99))
        return Measured(p50, p99, sent.losses, sent.count)


def compare() -> list[Comparison]:
    model = flights_model()
    requests = traffic()
    with ours(model) as port:
        mine = measure(port, "/v2/models/flights/infer", [json.dumps(r).encode() for r in requests])
    with rival(model) as port:
        theirs = measure(port, "/api/v1.0/predictions", [json.dumps(seldon(r)).encode() for r in requests])
    return [
        Comparison(
            f"latency p99, {name}", RIVAL, theirs[name].p99, mine[name].p99, AIM,
            details={"tidegate": vars(mine[name]), "rival": vars(theirs[name])},
        )
        for name in mine
    ]  # fmt: skip


def measure(port: int, path: str, bodies: Sequence[bytes]) -> dict[str, Measured]:
    """After a second of warming up; a rest between the rates, so that queues are empty."""
    requests = [request("127.0.0.1", port, path, body) for body in bodies]
    warm = send(port, requests, [(20, 1.0)])
    if warm.losses == warm.count:
        raise SystemExit(f"nothing is answered at {path}: {warm.lost[:1]}")
    found = {}
    for name, steps in [*((f"{rate}/s", [(rate, SECONDS)]) for rate in RATES), ("burst 100 to 1000/s", list(BURST))]:
        found[name] = Measured.of(send(port, requests, steps))
        print(f"  {path} {name}: {found[name]}", file=sys.stderr, flush=True)
        time.sleep(2)
    return found


def send(port: int, requests: Sequence[bytes], steps: Sequence[tuple[float, float]]) -> Sent:
    async def scene() -> Sent:
        load = Load("127.0.0.1", port, requests)
        for rate, seconds in steps[:-1]:
            await load.leave(rate, seconds)
        sent = await load.run(*steps[-1])
        load.close()
        return sent

    return asyncio.run(scene())


# ------------------------------------------------------------ the two servers
@contextlib.contextmanager
def ours(model: Path) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as store:
        command = [TIDEGATE, "serve", str(model), "--name", "flights", "--replicas", "1", "--detach", "--store", store]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        try:
            status = Place(Path(store).resolve() / "serving/flights").status()
            assert status is not None
            yield status.port
        finally:
            subprocess.run([TIDEGATE, "serve", "stop", "--store", store], cwd=ROOT, check=True, capture_output=True)


@contextlib.contextmanager
def rival(model: Path) -> Iterator[int]:
    """With its own defaults: one worker of gunicorn."""
    make_environment()
    port, grpc, metrics = (free_port() for _ in range(3))
    environment = os.environ | {
        "FLIGHTS_MODEL": str(model), "PYTHONPATH": str(ROOT / "benchmarks"), "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1", "TF_USE_LEGACY_KERAS": "1",
    }  # fmt: skip
    command = [
        str(ENVIRONMENT / "bin/seldon-core-microservice"), "seldon_model", "--service-type", "MODEL", "--http-port",
        str(port), "--grpc-port", str(grpc), "--metrics-port", str(metrics),
    ]  # fmt: skip
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait(port, process, log)
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait(port: int, process: subprocess.Popen[bytes], log: Any, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if client.get(f"http://127.0.0.1:{port}/health/status").status_code == 200:
                    return
            time.sleep(0.2)
    log.seek(0)
    raise SystemExit(f"seldon-core-microservice did not start:\n{log.read().decode('utf-8', 'replace')[-4000:]}")


def make_environment() -> None:
    """The rival's own environment, made once from its hashed lock."""
    mark = ENVIRONMENT / LOCK.name
    if mark.is_file() and mark.read_bytes() == LOCK.read_bytes():
        return
    python = str(ENVIRONMENT / "bin/python")
    subprocess.run([UV, "venv", "--quiet", "--allow-existing", "--python", "3.11", str(ENVIRONMENT)], check=True)
    subprocess.run(
        [UV, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(LOCK)],
        check=True,
    )
    mark.write_bytes(LOCK.read_bytes())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# ------------------------------------------------------------ what is asked
def flights_model() -> Path:
    """The last that was pushed (`make demo`), or FLIGHTS_MODEL."""
    if given := os.environ.get("FLIGHTS_MODEL"):
        return Path(given)
    found = latest(ROOT / ".tidegate/models", "flights")
    if found is None:
        raise SystemExit("there is no flights model to serve: `make demo` pushes one, or set FLIGHTS_MODEL to a folder")
    return found.path


def traffic(count: int = 2000) -> list[dict[str, Any]]:
    """Real flights of August, as V2 requests."""
    python = ROOT / ".venvs/components/bin/python"
    command = [python, ROOT / "pipelines/flights/replay.py", "--span", "8", "--count", str(count)]
    lines = subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def seldon(v2: dict[str, Any]) -> dict[str, Any]:
    """The same request in Seldon's own protocol."""
    inputs = v2["inputs"]
    return {"jsonData": {"names": [i["name"] for i in inputs], "rows": [[i["data"][0] for i in inputs]]}}


def main() -> None:
    for row in compare():
        print(json.dumps(row.as_dict()))


if __name__ == "__main__":
    main()

"""A real MLServer process around one model, on free loopback ports; it never outlives its `with` block."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError
from tidegate.serving.settings import MODEL_SETTINGS, SERVER_SETTINGS, model_settings, server_settings

NAME = "candidate"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerError(Exception):
    """The server did not come up, or refused; with the end of what it said."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready."""

    url: str
    load_seconds: float
    log: Path

    def infer(self, examples: list[str], timeout: float) -> dict[str, list[Any]]:
        """POST base64 tf.Examples by the Open Inference Protocol; output name -> one answer an example.

        Raises: ServerError.
        """
        body = {"inputs": [{"name": "examples", "datatype": "BYTES", "shape": [len(examples)], "data": examples}]}
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/v2/models/{NAME}/infer", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with _DIRECT.open(request, timeout=timeout) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace")[:2000]
            raise ServerError(f"the server answered HTTP {error.code}: {said}\n{tail(self.log)}") from None
        except OSError as error:
            raise ServerError(f"no answer from the server in {timeout:g} s: {error}\n{tail(self.log)}") from None
        return {o["name"]: _nested(o["shape"], o["data"]) for o in answer["outputs"]}


@contextlib.contextmanager
def serving(model: Path, folder: Path, timeout: float) -> Iterator[Server]:
    """Start MLServer on the SavedModel in `model`, with settings and log in `folder`, and wait until it is ready.

    Raises: ServerError where it ends or is not ready within `timeout` seconds.
    """
    http, grpc, metrics = _free_ports(3)
    (folder / SERVER_SETTINGS).write_text(server_settings(http, grpc, metrics), encoding="utf-8")
    (folder / MODEL_SETTINGS).write_text(model_settings(NAME, str(model.resolve())), encoding="utf-8")
    log = folder / "server.log"
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONUNBUFFERED": "1"}
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", "from mlserver.cli import main; main()", "start", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{http}"
        _wait(process, url, log, started + timeout, timeout)
        yield Server(url, time.monotonic() - started, log)
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, deadline: float, timeout: float) -> None:
    while True:
        if process.poll() is not None:
            raise ServerError(f"MLServer ended with code {process.returncode} while loading the model:\n{tail(log)}")
        try:
            with _DIRECT.open(f"{url}/v2/models/{NAME}/ready", timeout=1):
                return
        except OSError:  # not listening yet, or 4xx: not ready
            pass
        said = tail(log)
        if "Couldn't load model" in said:
            raise ServerError(f"MLServer could not load the model:\n{said}")
        if time.monotonic() > deadline:
            raise ServerError(f"MLServer was not ready within {timeout:g} s:\n{said}")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole process group, so that no child stays behind."""
    for how, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def tail(log: Path, lines: int = 30) -> str:
    """The end of what the server said, without its chatter."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    said = [line for line in text.splitlines() if not line.startswith("INFO:") and "] INFO - " not in line]
    return "\n".join(said[-lines:])


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _nested(shape: list[int], data: list[Any]) -> list[Any]:
    """One entry for each row."""
    rows = shape[0] if shape else 1
    if not rows or len(data) % rows:
        raise ComponentError(f"the server answered {len(data)} values of shape {shape}")
    width = len(data) // rows
    return [data[i * width : (i + 1) * width] for i in range(rows)]

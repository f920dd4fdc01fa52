"""MLServer's `model-settings.json` and `settings.json` for our models. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

RUNTIME = "tidegate.serving.runtime.SavedModelRuntime"
MODEL_SETTINGS = "model-settings.json"
SERVER_SETTINGS = "settings.json"


@dataclass(frozen=True, slots=True)
class Batching:
    """MLServer's adaptive batching: requests that arrive within `seconds` are answered together, up to `size`."""

    size: int = 0
    seconds: float = 0.0


def model_settings(name: str, uri: str, version: str = "", batching: Batching | None = None) -> str:
    """`model-settings.json`: `uri` is the SavedModel's folder, relative to the file's own or absolute."""
    settings: dict[str, Any] = {
        "name": name,
        "implementation": RUNTIME,
        "parameters": {"uri": uri, **({"version": version} if version else {})},
    }
    if batching and batching.size > 1:
        settings |= {"max_batch_size": batching.size, "max_batch_time": batching.seconds}
    return json.dumps(settings, indent=1, sort_keys=True) + "\n"


def server_settings(http_port: int, grpc_port: int, metrics_port: int, host: str = "127.0.0.1") -> str:
    """`settings.json` of a server that answers in its own process (no parallel workers)."""
    settings = {
        "host": host,
        "http_port": http_port,
        "grpc_port": grpc_port,
        "metrics_port": metrics_port,
        "parallel_workers": 0,
        "grpc_max_message_length": 64 * 1024 * 1024,
    }
    return json.dumps(settings, indent=1, sort_keys=True) + "\n"

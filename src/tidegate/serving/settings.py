"""MLServer's `model-settings.json` and `settings.json` for our models, and what our runtimes read from them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUNTIME = "tidegate.serving.runtime.SavedModelRuntime"
WRAPPER = "tidegate.serving.wrapper.SeldonClassRuntime"
MODEL_SETTINGS = "model-settings.json"
SERVER_SETTINGS = "settings.json"


@dataclass(frozen=True, slots=True)
class Extras:
    """`parameters.extra` of `model-settings.json`."""

    digest: str = ""
    """`sha256:<hex>` of the model's content: nothing else is loaded."""
    public_key: str = ""
    """PEM file of who must have signed the model; empty: no signature is needed."""
    batch_size: int = 64
    """Rows that are computed together, at most."""
    longest_queue: int = 4096
    """Rows that may wait; beyond, requests are refused with 503."""
    payload_log: str = ""
    """Folder of the payload log; empty: none."""
    payload_share: float = 1.0
    payload_bytes: int = 256 * 1024 * 1024
    slices: tuple[str, ...] = ()
    """`header:NAME=VALUE`, `field:NAME=VALUE`: counted apart as well."""
    slices_file: str = ""
    """A JSON list of further slices, read again whenever it changes."""
    instance: str = ""
    """What `x-served-by` says in each answer; a client's feedback sends it back, and so finds who answered."""
    keep_answers: int = 0
    """So many answers are kept for `/tidegate/answers`, by which a shadow is compared."""
    python_class: str = ""
    """For `WRAPPER`: `module.Class` or `Class`, as Seldon's Python wrapper has it."""
    class_parameters: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def read(extra: Mapping[str, Any] | None) -> Extras:
        """Raises: ValueError for what is not known."""
        given = dict(extra or {})
        known = set(Extras.__dataclass_fields__)
        if unknown := sorted(set(given) - known):
            raise ValueError(f"unknown parameters {', '.join(unknown)}; expected some of {', '.join(sorted(known))}")
        if "slices" in given:
            given["slices"] = tuple(given["slices"])
        return Extras(**given)

    def written(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON takes it."""
        default = Extras()
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v != getattr(default, k)}


def model_settings(name: str, uri: str, version: str = "", extras: Extras | None = None) -> str:
    """`model-settings.json`: `uri` is the model's folder, relative to the file's own or absolute."""
    extra = extras.written() if extras else {}
    parameters = {"uri": uri, **({"version": version} if version else {}), **({"extra": extra} if extra else {})}
    implementation = WRAPPER if extras and extras.python_class else RUNTIME
    settings = {"name": name, "implementation": implementation, "parameters": parameters}
    return json.dumps(settings, indent=1, sort_keys=True) + "\n"


def server_settings(
    http_port: int, grpc_port: int, metrics_port: int, host: str = "127.0.0.1", metrics_endpoint: str = "/metrics"
) -> str:
    """`settings.json` of a server that answers in its own process (no parallel workers)."""
    settings = {
        "debug": False,  # MLServer's default is True, and a line in the log for each request
        "host": host,
        "http_port": http_port,
        "grpc_port": grpc_port,
        "metrics_port": metrics_port,
        "metrics_endpoint": metrics_endpoint,
        "parallel_workers": 0,
        "grpc_max_message_length": 64 * 1024 * 1024,
    }
    return json.dumps(settings, indent=1, sort_keys=True) + "\n"


@dataclass(frozen=True, slots=True)
class Container:
    """What Seldon Core v1 (or anyone) says to a container that serves one model: the two settings' texts."""

    server: str
    model: str


def container(environment: Mapping[str, str]) -> Container:
    """From the environment variables of Seldon's container contract: ports, the graph node's name, its parameters.

    MODEL_URI (or the graph's parameter `model_uri`) is the model's folder, by default /mnt/models, where Seldon's
    initializer puts a `modelUri`. The other parameters are those of `Extras`.
    Raises: ValueError.
    """
    given = {p["name"]: _typed(p) for p in json.loads(environment.get("PREDICTIVE_UNIT_PARAMETERS") or "[]")}
    uri = str(given.pop("model_uri", "") or environment.get("MODEL_URI") or "/mnt/models")
    version = str(given.pop("model_version", "") or environment.get("MODEL_VERSION") or Path(uri).resolve().name)
    for name in ("digest", "public_key"):
        if value := environment.get(f"MODEL_{name.upper()}"):
            given.setdefault(name, value)
    for name in ("slices", "class_parameters"):
        if isinstance(given.get(name), str):
            given[name] = json.loads(given[name])
    name = environment.get("PREDICTIVE_UNIT_ID") or environment.get("MODEL_NAME") or "model"

    def port(kind: str, default: int) -> int:
        return int(environment.get(f"PREDICTIVE_UNIT_{kind}") or default)

    server = server_settings(
        port("HTTP_SERVICE_PORT", int(environment.get("PREDICTIVE_UNIT_SERVICE_PORT") or 9000)),
        port("GRPC_SERVICE_PORT", 9500),
        port("METRICS_SERVICE_PORT", 6000),
        host="0.0.0.0",  # noqa: S104  (a container's only way to be reached)
        metrics_endpoint=environment.get("PREDICTIVE_UNIT_METRICS_ENDPOINT") or "/prometheus",
    )
    return Container(server, model_settings(name, uri, version, Extras.read(given)))


def _typed(parameter: Mapping[str, str]) -> Any:
    value = parameter["value"]
    match parameter.get("type", "STRING"):
        case "INT":
            return int(value)
        case "FLOAT" | "DOUBLE":
            return float(value)
        case "BOOL":
            return value.lower() == "true"
    return value

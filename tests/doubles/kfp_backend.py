"""Kubeflow Pipelines' backend (2.17) as its API and its Workflows look, over HTTP, without a cluster.

What is played here was read in its source (argocompiler/dag.go, api_converter.go) or measured on a real one:
- a run becomes an Argo Workflow with a driver before every task, labelled `pipeline/runid`;
- details of tasks are that Workflow's nodes: no error, no pod; a cached task is SUCCEEDED and says `cached_from`, its
  executor is skipped; `error` of a failed run is empty, and why is only in a pod's log;
- items of a bare `list` are strings: where a task takes a number its driver fails when the run is there already;
- loops over artifacts and conditions on importers are refused when the run is created.
Tasks do nothing: `Script` says which fail and which the cache answers.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.doubles.kfp_workflow import NotCompiledError, Played, Script, play
from tidegate.spec import load

_NAMESPACE = "kubeflow"


@dataclass
class Backend:
    """The state of the double, for tests to script and to look into."""

    url: str = ""
    script: Script = field(default_factory=Script)
    pipelines: dict[str, str] = field(default_factory=dict)
    """Id -> name."""
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    played: dict[str, Played] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """`POST /apis/v2beta1/runs`, in order."""
    workflows_readable: bool = True
    down: int = 0
    """So many requests are answered with 503 first."""

    def run_json(self, id: str) -> dict[str, Any]:
        """The run, one look further than the last time."""
        played = self.played[id]
        played.look()
        run = dict(self.runs[id])
        run["state"] = "CANCELED" if run.get("terminated") else played.state
        run.pop("terminated", None)
        if run["state"] in ("SUCCEEDED", "FAILED", "CANCELED"):
            run["finished_at"] = _time(played.now)
        run["run_details"] = {"task_details": [_detail(id, node, played) for node in played.visible()]}
        return run

    def create_run(self, body: Mapping[str, Any]) -> dict[str, Any]:
        reference = body.get("pipeline_version_reference") or {}
        text = (
            self.versions[reference["pipeline_version_id"]]["text"]
            if reference
            else yaml.safe_dump(body["pipeline_spec"].get("pipeline_spec", body["pipeline_spec"]))
        )
        id = f"00000000-0000-0000-0000-{len(self.runs) + 1:012d}"
        parameters = (body.get("runtime_config") or {}).get("parameters") or {}
        try:
            self.played[id] = play(load(text), parameters, self.script, id)
        except NotCompiledError as error:
            raise Refused(400, f"Failed to create a new run: compiling DAG: {error}") from error
        self.runs[id] = {
            "run_id": id,
            "display_name": body["display_name"],
            "experiment_id": body["experiment_id"],
            "created_at": _time(self.played[id].begun),
            "pipeline_version_reference": reference or None,
            "runtime_config": body.get("runtime_config"),
            "service_account": body.get("service_account"),
        }
        return {**self.runs[id], "state": "PENDING"}


def _detail(run: str, node: Mapping[str, Any], played: Played) -> dict[str, Any]:
    states = {
        "Succeeded": "SUCCEEDED",
        "Failed": "FAILED",
        "Skipped": "SKIPPED",
        "Omitted": "SKIPPED",
        "Running": "RUNNING",
    }
    said = {
        "run_id": run,
        "task_id": f"task-{node['id']}",
        "display_name": node["displayName"],
        "create_time": _time(played.begun),
        "start_time": node["startedAt"],
        "end_time": node.get("finishedAt") or "1970-01-01T00:00:00Z",
        "state": states[node["phase"]],
        "child_tasks": [{"pod_name": child} for child in node.get("children", [])],
    }
    return said | ({"cached_from": origin} if (origin := played.cached_from.get(node["name"])) else {})


class Refused(Exception):  # noqa: N818
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message


class _Handler(BaseHTTPRequestHandler):
    backend: Backend
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        self.backend.requests.append(f"{self.command} {parts.path}")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        try:
            if self.backend.down > 0 and parts.path != "/apis/v2beta1/healthz":
                self.backend.down -= 1
                raise Refused(503, "the server is starting")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            answer = self._routed(unquote(parts.path), query, body)
            status = 200
        except Refused as refused:
            status, answer = refused.status, {"code": refused.status, "message": refused.message}
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _answer  # noqa: N815

    def _routed(self, path: str, query: Mapping[str, str], body: bytes) -> Any:
        if path.startswith(f"/api/v1/namespaces/{_NAMESPACE}/pods/"):
            return self._log(path.split("/")[6])
        if path == f"/apis/argoproj.io/v1alpha1/namespaces/{_NAMESPACE}/workflows":
            return self._workflows(query)
        match self.command, path.removeprefix("/apis/v2beta1/").split("/"):
            case "GET", ["healthz"]:
                return {"multi_user": False}
            case "GET", ["experiments"]:
                return {"experiments": _named(self.backend.experiments, "experiment_id", query)}
            case "POST", ["experiments"]:
                return _add(self.backend.experiments, "experiment_id", json.loads(body)["display_name"])
            case "GET", ["pipelines"]:
                return {"pipelines": _named(self.backend.pipelines, "pipeline_id", query)}
            case "POST", ["pipelines"]:
                return _add(self.backend.pipelines, "pipeline_id", json.loads(body)["display_name"])
            case "POST", ["pipelines", "upload_version"]:
                return self._upload(query, body)
            case "GET", ["pipelines", pipeline, "versions"]:
                names = {v["id"]: v["name"] for v in self.backend.versions.values() if v["pipeline"] == pipeline}
                return {"pipeline_versions": _named(names, "pipeline_version_id", query)}
            case "POST", ["runs"]:
                return self.backend.create_run(json.loads(body))
            case "GET", ["runs", id] if id in self.backend.runs:
                return self.backend.run_json(id)
            case "POST", ["runs", action] if action.endswith(":terminate"):
                self.backend.runs[action.removesuffix(":terminate")]["terminated"] = True
                return {}
        raise Refused(404, f"{self.command} {path}: no such thing")

    def _upload(self, query: Mapping[str, str], body: bytes) -> dict[str, Any]:
        name, pipeline = query["name"], query["pipelineid"]
        if any(version["name"] == name for version in self.backend.versions.values()):
            raise Refused(
                409, f"Already exist error: Failed to create a pipeline version. The name {name} already exist."
            )
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        part = BytesParser().parsebytes(head + body).get_payload()[0]
        id = f"version-{len(self.backend.versions) + 1}"
        text = part.get_payload(decode=True).decode()
        description = query.get("description", "")
        self.backend.versions[id] = {
            "id": id, "name": name, "pipeline": pipeline, "text": text, "description": description,
        }  # fmt: skip
        return {"pipeline_id": pipeline, "pipeline_version_id": id, "display_name": name}

    def _workflows(self, query: Mapping[str, str]) -> dict[str, Any]:
        if not self.backend.workflows_readable:
            raise Refused(403, 'workflows.argoproj.io is forbidden: User "ada" cannot list resource "workflows"')
        id = query["labelSelector"].removeprefix("pipeline/runid=")
        return {"items": [self.backend.played[id].workflow()] if id in self.backend.played else []}

    def _log(self, pod: str) -> bytes:
        for played in self.backend.played.values():
            if pod in played.logs:
                return played.logs[pod].encode()
        raise Refused(404, f'pods "{pod}" not found')


def _named(known: Mapping[str, str], key: str, query: Mapping[str, str]) -> list[dict[str, str]]:
    wanted = json.loads(query["filter"])["predicates"][0]["stringValue"] if "filter" in query else None
    return [{key: id, "display_name": name} for id, name in known.items() if wanted in (None, name)]


def _add(known: dict[str, str], key: str, name: str) -> dict[str, str]:
    id = f"{re.sub('_id$', '', key)}-{len(known) + 1}"
    known[id] = name
    return {key: id, "display_name": name}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


@contextmanager
def backend() -> Iterator[Backend]:
    """The double, listening on this machine."""
    state = Backend()
    handler = type("Handler", (_Handler,), {"backend": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""The Argo Workflow that KFP's backend makes of a pipeline, and what its nodes go through."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tidegate.graph.build import build
from tidegate.graph.model import Constant, Dag, FromInput, Task
from tidegate.graph.work import Importer
from tidegate.spec import Pipeline

_BEGUN = 1_790_000_000.0
_NUMBERS = {"NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN"}


@dataclass(frozen=True)
class Script:
    """What becomes of tasks, by path (`condition-1/check`); others succeed."""

    fail: Mapping[str, str] = field(default_factory=dict)
    """Path -> what the container prints."""
    cached: Mapping[str, str] = field(default_factory=dict)
    """Path -> the run that the outputs are of."""
    skipped: frozenset[str] = frozenset()


class NotCompiledError(Exception):
    """The backend's compiler refuses the pipeline."""


@dataclass
class Played:
    """A run: all that will be, and how much of it is to be seen yet."""

    name: str
    id: str
    begun: float = _BEGUN
    now: float = _BEGUN
    nodes: list[dict[str, Any]] = field(default_factory=list)
    """In the order in which they end."""
    logs: dict[str, str] = field(default_factory=dict)
    cached_from: dict[str, str] = field(default_factory=dict)
    seen: int = 0

    def look(self) -> None:
        self.seen += max(1, len(self.nodes) // 3)

    @property
    def state(self) -> str:
        if self.seen < len(self.nodes):
            return "RUNNING"
        return "FAILED" if any(node["phase"] == "Failed" for node in self.nodes) else "SUCCEEDED"

    def visible(self) -> list[dict[str, Any]]:
        shown = self.nodes[: self.seen]
        rest = self.nodes[self.seen : self.seen + 1]
        return shown + [{**node, "phase": "Running", "finishedAt": None} for node in rest]

    def workflow(self) -> dict[str, Any]:
        labels = {"pipeline/runid": self.id}
        return {
            "metadata": {"name": self.name, "labels": labels},
            "status": {"nodes": {node["id"]: node for node in self.visible()}},
        }

    def node(self, name: str, kind: str, template: str, phase: str = "Succeeded", message: str = "") -> dict[str, Any]:
        self.now += 1.0
        made = {
            "id": f"{self.name}-{zlib.crc32(name.encode())}",
            "name": name,
            "displayName": name.rpartition(".")[2],
            "type": kind,
            "templateName": template,
            "phase": phase,
            "message": message,
            "startedAt": _time(self.now - 1.0),
            "finishedAt": _time(self.now),
            "children": [],
        }
        self.nodes.append(made)
        return made

    def pod_log(self, node: Mapping[str, Any], text: str) -> None:
        self.logs[f"{self.name}-{node['templateName']}-{node['id'].rpartition('-')[2]}"] = text


def play(pipeline: Pipeline, parameters: Mapping[str, Any], script: Script, id: str) -> Played:
    graph = build(pipeline)
    played = Played(f"{pipeline.name}-x7k2p", id)
    assert isinstance(graph.root.body, Dag)
    played.node(f"{played.name}.root-driver", "Pod", "system-dag-driver")
    _Playing(played, script).dag(graph.root.body, f"{played.name}.root", "", frozenset())
    return played


@dataclass
class _Playing:
    played: Played
    script: Script

    def dag(self, dag: Dag, name: str, path: str, texts: frozenset[str]) -> bool:
        """texts: the inputs of this DAG that are strings although the tasks may want numbers."""
        ended: dict[str, bool] = {}
        for task in dag.tasks.values():
            if not task.even_after_failure and not all(ended.get(other, False) for other in task.after):
                continue
            at = f"{path}/{task.name}" if path else task.name
            base = f"{name}.{task.after[0]}.onExit" if task.even_after_failure and task.after else name
            ended[task.name] = self.task(task, f"{base}.{task.name}", at, texts)
        good = all(ended.values()) and len(ended) == len(dag.tasks)
        self.played.node(name, "DAG", name.rpartition(".")[2], "Succeeded" if all(ended.values()) else "Failed")
        return good

    def task(self, task: Task, name: str, path: str, texts: frozenset[str]) -> bool:
        body = task.component.body
        if path in self.script.skipped:
            self.played.node(name, "Skipped", "condition", "Skipped", "when 'false != false' evaluated false")
            return False
        if task.iteration is not None:
            return self.loop(task, name, path)
        if isinstance(body, Dag):
            self.played.node(f"{name}-driver", "Pod", "system-dag-driver")
            return self.dag(body, name, path, _passed(task, texts))
        if isinstance(body, Importer):
            if task.condition is not None:
                raise NotCompiledError("triggerPolicy.condition on importer task is not supported")
            self.played.node(name, "Pod", "system-importer")
            return True
        return self.container(task, name, path, texts)

    def loop(self, task: Task, name: str, path: str) -> bool:
        assert task.iteration is not None and isinstance(task.component.body, Dag)
        if task.iteration.artifacts:
            raise NotCompiledError("artifact iterator not implemented yet")
        items = task.iteration.over.value if isinstance(task.iteration.over, Constant) else [1, 2]
        self.played.node(f"{name}.iteration-driver", "Pod", "system-dag-driver")
        declared = task.component.parameters[task.iteration.item]
        texts = frozenset({task.iteration.item} if declared.type == "STRING" else ())
        good = True
        for number in range(len(items)):
            inside = f"{name}.iteration-iterations({number}:{number}).iteration-item"
            self.played.node(f"{inside}-driver", "Pod", "system-dag-driver")
            good &= self.dag(task.component.body, inside, f"{path}/{number}", texts)
        self.played.node(name, "DAG", f"{task.name}-iterator", "Succeeded" if good else "Failed")
        return good

    def container(self, task: Task, name: str, path: str, texts: frozenset[str]) -> bool:
        for own, binding in task.parameters.items():
            wanted = task.component.parameters[own].type
            if isinstance(binding.source, FromInput) and binding.source.name in texts and wanted in _NUMBERS:
                driver = self.played.node(
                    f"{name}-driver", "Pod", "system-container-driver", "Failed", "main: Error (exit code 1)"
                )
                self.played.pod_log(
                    driver,
                    "I1021 09:00:00.000000      19 main.go:108] input ComponentSpec:{}\n"
                    "F1021 09:00:01.000000      19 main.go:79] KFP driver: driver.Container(pipelineName=x) failed: "
                    f'resolving input parameter "{own}": expect {wanted}, got string\n'
                    'time="2026-10-21T09:00:01Z" level=info msg="sub-process exited" argo=true\n',
                )
                self.played.node(name, "Skipped", "", "Omitted", "omitted: depends condition not met")
                return False
        self.played.node(f"{name}-driver", "Pod", "system-container-driver")
        if path in self.script.cached:
            self.played.node(f"{name}.executor", "Skipped", "system-container-impl", "Skipped")
            self.played.node(name, "DAG", "system-container-executor")
            self.played.cached_from[name] = self.script.cached[path]
            return True
        failed = self.script.fail.get(path)
        phase, message = ("Failed", "main: Error (exit code 1)") if failed is not None else ("Succeeded", "")
        executor = self.played.node(f"{name}.executor", "Pod", "system-container-impl", phase, message)
        self.played.pod_log(executor, failed if failed is not None else f"hello from {path}\n")
        outer = self.played.node(name, "DAG", "system-container-executor", phase)
        outer["children"] = [executor["id"]]
        return failed is None


def _passed(task: Task, texts: frozenset[str]) -> frozenset[str]:
    return frozenset(
        own
        for own, binding in task.parameters.items()
        if isinstance(binding.source, FromInput) and binding.source.name in texts
    )


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")

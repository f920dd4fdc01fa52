"""The Argo Workflow that KFP's backend makes of a pipeline, read back as the pipeline's tasks. Pure.

Names as backend/src/v2/compiler/argocompiler/dag.go gives them, below the workflow's own name:
`root.train-driver` and `root.train` with `root.train.executor` (left out where the cache answered); a loop is
`root.loop` with `iteration-driver`, `iteration-iterations(3:3)` and in it `iteration-item`; exit tasks are in
`root.exit-handler-1.onExit`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidegate.cluster.pods import pod_name

_ITERATION = re.compile(r"iteration-iterations\((\d+):")
_ATTEMPT = re.compile(r"^(.*)\((\d+)\)$")
_DRIVER = "-driver"
_BAD = ("Failed", "Error")


@dataclass(frozen=True, slots=True)
class Seen:
    """One task of the pipeline, of what is known of it."""

    path: str
    kind: str = "task"
    state: str = "pending"
    started: float | None = None
    ended: float | None = None
    attempt: int = 1
    error: str = ""
    pod: str = ""
    """The node whose log says most: the executor's, or the driver's where it failed."""
    cached_from: str = ""
    """The run that the outputs are of, where that is known."""


def tasks(workflow: Mapping[str, Any]) -> list[Seen]:
    """In order of start."""
    nodes = _Nodes(workflow)
    found = [seen for name in nodes.by_name if (seen := nodes.seen(name)) is not None]
    return sorted(found, key=lambda seen: (seen.started is None, seen.started or 0.0, seen.path))


class _Nodes:
    def __init__(self, workflow: Mapping[str, Any]) -> None:
        self.workflow = workflow
        self.root = str(workflow.get("metadata", {}).get("name", ""))
        nodes = workflow.get("status", {}).get("nodes") or {}
        self.by_name: dict[str, Mapping[str, Any]] = {str(node.get("name", "")): node for node in nodes.values()}

    def seen(self, name: str) -> Seen | None:
        """The task that this node stands for; None for drivers, executors and what else KFP adds."""
        node = self.by_name[name]
        path = self._path(name)
        if not path or name.endswith(".executor") or _ATTEMPT.search(name) or self._is_driver(name):
            return None
        driver = self.by_name.get(name + _DRIVER, {})
        executor = self.by_name.get(name + ".executor")
        of_container = self._is_container(name) or "container" in str(driver.get("templateName", ""))
        if executor is None and node.get("type") != "Pod" and not of_container:
            return Seen(path, self._kind(name), _state(node), _time(node, "startedAt"), _time(node, "finishedAt"))
        return self._task(path, node, driver, executor)

    def _task(
        self, path: str, node: Mapping[str, Any], driver: Mapping[str, Any], executor: Mapping[str, Any] | None
    ) -> Seen:
        begun = _time(driver, "startedAt") or _time(node, "startedAt")
        ended = _time(node, "finishedAt")
        if driver.get("phase") in _BAD:
            return Seen(path, "task", "failed", begun, ended, 1, _message(driver), self._pod(driver))
        attempts = list(self._attempts(executor)) if executor is not None else []
        last = attempts[-1] if attempts else executor or node
        state = _state(node)
        if state == "succeeded" and executor is not None and executor.get("type") == "Skipped":
            return Seen(path, "task", "cached", begun, ended)
        error = _message(last) or _message(node) if state == "failed" else ""
        return Seen(path, "task", state, begun, ended, max(len(attempts), 1), error, self._pod(last))

    def _pod(self, node: Mapping[str, Any]) -> str:
        return pod_name(self.workflow, node) if node.get("type") == "Pod" else ""

    def _attempts(self, executor: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        number = 0
        while (node := self.by_name.get(f"{executor.get('name', '')}({number})")) is not None:
            yield node
            number += 1

    def _is_container(self, name: str) -> bool:
        return str(self.by_name[name].get("templateName", "")).startswith("system-container")

    def _is_driver(self, name: str) -> bool:
        """Tasks of users may be called `x-driver`, too: their template is no driver."""
        template = str(self.by_name[name].get("templateName", "driver"))
        return name.endswith(_DRIVER) and "driver" in template

    def _kind(self, name: str) -> str:
        if f"{name}.iteration-driver" in self.by_name:
            return "loop"
        return "iteration" if name.endswith(".iteration-item") else "dag"

    def _path(self, name: str) -> str:
        """`wf.root.loop.iteration-iterations(3:3).iteration-item.train` -> `loop/3/train`"""
        prefix = f"{self.root}.root."
        if not name.startswith(prefix):
            return ""
        own = name.rpartition(".")[2]
        if own in ("onExit", "iteration-iterations", "iteration-driver") or _ITERATION.match(own):
            return ""
        found: list[str] = []
        for part in name.removeprefix(prefix).split("."):
            if iteration := _ITERATION.match(part):
                found.append(iteration[1])
            elif part == "onExit":
                found.pop()  # exit tasks are in the pipeline that has the handler
            elif part not in ("iteration-item", "executor"):
                found.append(part)
        return "/".join(found)


def _state(node: Mapping[str, Any]) -> str:
    match node.get("phase"):
        case "Succeeded":
            return "succeeded"
        case "Failed" | "Error":
            return "failed"
        case "Skipped" | "Omitted":
            return "skipped"
        case "Running":
            return "running"
    return "pending"


def _message(node: Mapping[str, Any]) -> str:
    return str(node.get("message") or "")


def _time(node: Mapping[str, Any], name: str) -> float | None:
    text = node.get(name)
    return datetime.fromisoformat(str(text)).timestamp() if text else None

"""A Workflow object as an observed run: the tasks, states, outputs and reasons that a local run would have. Pure.

Names, values and states are as docs/argo.md has them ("How a pipeline looks on Argo").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.argo import nodes as names
from tidegate.argo.follow_nodes import Node, nodes_of, time_of
from tidegate.argo.records import Outputs, inputs_of, outputs_of, repository, stored
from tidegate.cluster.observed import Observed
from tidegate.cluster.pods import pod_name
from tidegate.graph.model import Component, Dag, Graph, Task
from tidegate.store.records import RunRecord, TaskRecord

_STATES = {
    "Pending": "pending",
    "Running": "running",
    "Succeeded": "succeeded",
    "Skipped": "skipped",
    "Omitted": "skipped",
}
_BAD = ("Failed", "Error")
_ENDED = ("Succeeded", "Failed", "Error")
_SHUTDOWN = "workflow shutdown with strategy"
_GOOD = ("succeeded", "cached")
_STUCK = ("Unschedulable", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError")


def observe(
    run: RunRecord, workflow: Mapping[str, Any], graph: Graph | None, origins: Mapping[str, str] | None = None
) -> Observed:
    """run: as the store has it. graph: what was sent, None where that is not known here. origins: the cache's entries,
    key -> the workflow whose outputs answer.

    Raises: ClusterError where the nodes are not in the object.
    """
    reading = _Reading(run, workflow, nodes_of(workflow), graph, origins or {})
    records = tuple(
        sorted(reading.tasks(), key=lambda task: (task.created is None, task.created or 0.0, reading.rank(task)))
    )
    status = workflow.get("status") or {}
    phase = str(status.get("phase") or "")
    state = _run_state(workflow, phase)
    return Observed(
        state=state,
        ended=time_of(status.get("finishedAt")) if state != "running" else None,
        error=_error(str(status.get("message") or ""), records) if state == "failed" else "",
        outputs=reading.pipeline_outputs() if phase in _ENDED else {},
        tasks=records,
        pods=reading.pods,
        notice=reading.notice(),
    )


@dataclass(slots=True)
class _Place:
    """Where in the pipeline a path leads."""

    task: Task | None
    kind: str
    siblings: Dag | None = None


class _Reading:
    def __init__(
        self,
        run: RunRecord,
        workflow: Mapping[str, Any],
        nodes: Mapping[str, Node],
        graph: Graph | None,
        origins: Mapping[str, str],
    ) -> None:
        self.run, self.workflow, self.graph, self.origins = run, workflow, graph, origins
        self.name = str((workflow.get("metadata") or {}).get("name", ""))
        self.nodes = nodes
        self.by_name = {str(node.get("name", "")): node for node in nodes.values()}
        self.repository = repository(workflow)
        self.pods: dict[str, str] = {}
        self.states: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.chosen: dict[str, Node] = {}

    def tasks(self) -> Iterator[TaskRecord]:
        chosen = {names.path_of(name): node for name, node in self.by_name.items() if self._is_task(name, node)}
        self.chosen = chosen
        self.states = {path: self._state(node) for path, node in chosen.items()}
        self.reasons = {path: self._message(node) for path, node in chosen.items() if self.states[path] == "failed"}
        if (self.workflow.get("spec") or {}).get("shutdown"):
            self._stop_groups(chosen)
        for path, node in chosen.items():
            yield self._record(path, node)

    def pipeline_outputs(self) -> Mapping[str, Any]:
        """The workflow's own; of one that failed, for which Argo gives none, those of tasks that succeeded."""
        root = self.by_name.get(self.name)
        found = outputs_of(root, self._component(None), self.repository) if root else Outputs()
        if self.graph is None or not isinstance(self.graph.root.body, Dag):
            return stored(found)
        parameters, artifacts = dict(found.parameters), dict(found.artifacts)
        for wanted, into in (
            (self.graph.root.body.parameters, parameters),
            (self.graph.root.body.artifacts, artifacts),
        ):
            for name, sources in wanted.items():
                values = [value for each in sources if (value := self._output(each.task, each.output)) is not None]
                if values:
                    into.setdefault(name, values[0])
        return stored(Outputs(parameters, artifacts))

    def _output(self, task: str, name: str) -> Any:
        node = self.chosen.get(task)
        if node is None or self.states[task] not in _GOOD:
            return None
        place = self._place(task, node)
        made = outputs_of(node, self._component(place.task), self.repository)
        return made.parameters.get(name, made.artifacts.get(name))

    def notice(self) -> str:
        """What keeps pods from starting, of the first that says so."""
        for node in self.nodes.values():
            message = str(node.get("message") or "")
            if node.get("phase") == "Pending" and message.startswith(_STUCK):
                return f"{names.path_of(str(node.get('name', '')))} waits: {message}"
        return ""

    def rank(self, task: TaskRecord) -> tuple[int, ...]:
        """Where the task stands in the pipeline: Argo's times are whole seconds."""
        body, found = self.graph.root.body if self.graph else None, []
        for part in task.path.split("/"):
            if part.isdecimal():
                found.append(int(part))
            elif isinstance(body, Dag) and part in body.tasks:
                found.append(list(body.tasks).index(part))
                body = body.tasks[part].component.body
        return tuple(found)

    # ------------------------------------------------------------ one task
    def _is_task(self, name: str, node: Node) -> bool:
        """Not the workflow itself, an attempt, nor the group of a loop's iterations."""
        if name == self.name or (node.get("nodeFlag") or {}).get("retried") or node.get("type") == "TaskGroup":
            return False
        return (
            name.startswith(f"{self.name}.")
            and not name.endswith(f".{names.START}")
            and not (node.get("nodeFlag") or {}).get("hooked")
        )

    def _record(self, path: str, node: Node) -> TaskRecord:
        place = self._place(path, node)
        component = self._component(place.task)
        attempts = self._attempts(node)
        last = attempts[-1] if attempts else node
        state = self.states[path]
        made = outputs_of(node, component, self.repository) if state in _GOOD else Outputs()
        parameters, taken = inputs_of(node, component, self.repository)
        if state in ("running", "succeeded", "failed", "waiting", "cancelled") and last.get("type") == "Pod":
            self.pods[path] = pod_name(self.workflow, last)
        started = time_of(node.get("startedAt"))
        return TaskRecord(
            run=self.run.id,
            path=path,
            component=component.name if component and place.task else str(node.get("templateName") or ""),
            kind=place.kind,
            state=state,
            attempt=max(1, len(attempts)) if place.kind == "task" and state != "skipped" else 0,
            created=started,
            started=None if state in ("pending", "skipped") else started,
            ended=time_of(node.get("finishedAt")) if state not in ("pending", "running", "waiting") else None,
            cached_from=self._origin(node) if state == "cached" else "",
            cache_key=str((node.get("memoizationStatus") or {}).get("key", "")),
            error=self._reason(path, node, state, place),
            parameters=parameters if place.kind == "task" else {},
            inputs=taken if place.kind == "task" else {},
            outputs=made.artifacts if place.kind == "task" else {},
            output_parameters=made.parameters if place.kind == "task" else {},
            progress=str(node.get("message") or "") if state in ("pending", "running") else "",
        )

    def _state(self, node: Node) -> str:
        phase = str(node.get("phase") or "")
        if phase == "Succeeded":
            return "cached" if (node.get("memoizationStatus") or {}).get("hit") else "succeeded"
        attempts = self._attempts(node)
        if phase in _BAD or phase == "Omitted":
            told = (str(each.get("message") or "") for each in (node, *attempts[-1:]))
            stopped = any(message.startswith(_SHUTDOWN) or "Stopped with strategy" in message for message in told)
            return "cancelled" if stopped else "failed" if phase in _BAD else "skipped"
        if phase == "Running" and attempts and attempts[-1].get("phase") in _BAD:
            return "waiting"
        if phase == "Running" and attempts and attempts[-1].get("phase") == "Pending":
            return "pending"
        return _STATES.get(phase, "pending")

    def _attempts(self, node: Node) -> list[Node]:
        if node.get("type") != "Retry":
            return []
        found = (self.nodes.get(str(id)) for id in node.get("children") or ())
        return [each for each in found if each is not None and (each.get("nodeFlag") or {}).get("retried")]

    def _reason(self, path: str, node: Node, state: str, place: _Place) -> str:
        match state:
            case "failed" if place.kind != "task":
                below = (
                    (self._ended(at), at) for at in self.reasons if at.startswith(f"{path}/") and self._is_leaf(at)
                )
                first = min(below, default=(0.0, ""))[1]
                return f"{first}: {self.reasons[first]}" if first else ""
            case "failed":
                return self.reasons[path]
            case "waiting":
                return self._message(node)
            case "cancelled":
                return "cancelled"
            case "skipped":
                return self._why_skipped(path, node, place)
        return ""

    def _message(self, node: Node) -> str:
        attempts = self._attempts(node)
        said = str((attempts[-1] if attempts else node).get("message") or node.get("message") or "")
        return names.failure(said) or "it failed and said nothing"

    def _is_leaf(self, path: str) -> bool:
        return not any(other.startswith(f"{path}/") for other in self.reasons)

    def _ended(self, path: str) -> float:
        return time_of(self.chosen[path].get("finishedAt")) or 0.0

    def _stop_groups(self, chosen: Mapping[str, Node]) -> None:
        """What Argo calls failed, of a run that was stopped, was cancelled where nothing in it failed."""
        for path, node in chosen.items():
            if self.states[path] == "failed" and node.get("type") not in ("Pod", "Retry") and self._is_leaf(path):
                self.states[path] = "cancelled"

    def _why_skipped(self, path: str, node: Node, place: _Place) -> str:
        if node.get("phase") == "Skipped" and place.task is not None and place.task.condition is not None:
            return f"the condition is false: {place.task.condition.text}"
        parent = path.rpartition("/")[0]
        for other in place.task.after if place.task is not None else ():
            ended = self.states.get(f"{parent}/{other}" if parent else other, "skipped")
            if ended not in _GOOD:
                return f"{other} {'failed' if ended == 'failed' else f'was {ended}'}"
        return str(node.get("message") or "")

    def _origin(self, node: Node) -> str:
        return self.origins.get(str((node.get("memoizationStatus") or {}).get("key", "")), "")

    # ------------------------------------------------------------ the pipeline
    def _component(self, task: Task | None) -> Component | None:
        if self.graph is None:
            return None
        return task.component if task is not None else self.graph.root

    def _place(self, path: str, node: Node) -> _Place:
        """By the pipeline, where it is known, else by what the node looks like."""
        if self.graph is None:
            kind = {"DAG": "dag"}.get(str(node.get("type")), "task")
            return _Place(None, "iteration" if kind == "dag" and path.rpartition("/")[2].isdecimal() else kind)
        body, task, kind = self.graph.root.body, None, "dag"
        for part in path.split("/"):
            if kind == "loop" and part.isdecimal():
                kind = "iteration"
                continue
            if not isinstance(body, Dag) or part not in body.tasks:
                return _Place(None, "task" if node.get("type") == "Pod" else "dag")
            task = body.tasks[part]
            body, kind = task.component.body, _kind(task)
        return _Place(task, kind)


def _kind(task: Task) -> str:
    if task.iteration is not None:
        return "loop"
    if not isinstance(task.component.body, Dag):
        return "task"
    return "condition" if task.condition is not None else "dag"


def _run_state(workflow: Mapping[str, Any], phase: str) -> str:
    if phase == "Succeeded":
        return "succeeded"
    if phase in _BAD:
        return "cancelled" if (workflow.get("spec") or {}).get("shutdown") else "failed"
    return "running"


def _error(message: str, records: tuple[TaskRecord, ...]) -> str:
    """As local runs say it: the first task that failed, and why; else what Argo says of the whole."""
    failed = [task for task in records if task.state == "failed" and task.kind == "task"]
    if not failed:
        return message or "Argo says no more than that it failed"
    first = min(failed, key=lambda task: task.ended or 0.0)
    return f"{first.path}: {first.error}"

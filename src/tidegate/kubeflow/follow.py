"""KFP's run, and the Workflow behind it where it can be read, as an observed run. Pure.

The API alone says little: a cached task is SUCCEEDED, `run.error` is empty where a run failed, and details of tasks
have neither error nor pod (kubeflow/pipelines#14007). The Workflow has the structure, and pods' logs have the reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tidegate.cluster.observed import Observed
from tidegate.kubeflow.causes import cause
from tidegate.kubeflow.nodes import Seen, tasks
from tidegate.store.records import RunRecord, TaskRecord

_RUN_STATES = {"SUCCEEDED": "succeeded", "SKIPPED": "succeeded", "FAILED": "failed", "CANCELED": "cancelled"}
_TASK_STATES = {
    "SUCCEEDED": "succeeded",
    "SKIPPED": "skipped",
    "FAILED": "failed",
    "CANCELED": "cancelled",
    "RUNNING": "running",
    "CANCELING": "running",
    "PAUSED": "waiting",
}


def observe(
    run: RunRecord, said: Mapping[str, Any], workflow: Mapping[str, Any] | None, logs: Mapping[str, str]
) -> Observed:
    """run: as the store has it. said: the API's V2beta1Run, JSON. workflow: the Argo Workflow, None where the user may
    not read it. logs: the logs of failed pods, by pod, as far as they are known.
    """
    details = [each for each in (said.get("run_details") or {}).get("task_details") or () if isinstance(each, Mapping)]
    if workflow is not None:
        found, origins = tasks(workflow), _origins(details)
    else:
        found, origins = list(_of_details(details, str(said.get("display_name", "")))), {}
    state = _RUN_STATES.get(str(said.get("state", "")), "running")
    records = tuple(_record(run, seen, origins, logs) for seen in found)
    return Observed(
        state=state,
        ended=_time(said.get("finished_at")) if state != "running" else None,
        error=_error(said, records, workflow) if state == "failed" else "",
        tasks=records,
        pods={seen.path: seen.pod for seen in found if seen.pod},
        notice="cancelling" if said.get("state") == "CANCELING" else "",
    )


def failed_pods(observed: Observed) -> list[str]:
    """Whose logs say why: the pods of failed tasks."""
    return [
        observed.pods[task.path] for task in observed.tasks if task.state == "failed" and task.path in observed.pods
    ]


def _origins(details: list[Mapping[str, Any]]) -> dict[str, str]:
    """Name -> the run that a cached task's outputs are of, where the API says it and only one task has the name."""
    named: dict[str, list[str]] = {}
    for each in details:
        if each.get("cached_from"):
            named.setdefault(str(each.get("display_name", "")), []).append(str(each["cached_from"]))
    return {name: found[0] for name, found in named.items() if len(set(found)) == 1}


def _record(run: RunRecord, seen: Seen, origins: Mapping[str, str], logs: Mapping[str, str]) -> TaskRecord:
    name = seen.path.rpartition("/")[2]
    cached = seen.state == "cached"
    return TaskRecord(
        run=run.id,
        path=seen.path,
        component=name if seen.kind == "task" else "",
        kind=seen.kind,
        state=seen.state,
        attempt=seen.attempt,
        created=seen.started,
        started=seen.started,
        ended=seen.ended,
        cached_from=(seen.cached_from or origins.get(name, "")) if cached else "",
        error=(cause(logs.get(seen.pod, "")) or seen.error) if seen.state == "failed" else "",
    )


def _of_details(details: list[Mapping[str, Any]], run_name: str) -> Iterator[Seen]:
    """From the API alone: tasks have no paths there, only names; KFP's own steps among them are left out."""
    taken: dict[str, int] = {}
    for each in details:
        name = str(each.get("display_name", ""))
        if not name or name in ("root", "executor", run_name) or name.endswith("-driver") or "iteration-" in name:
            continue
        taken[name] = taken.get(name, 0) + 1
        number = taken[name]
        state = _TASK_STATES.get(str(each.get("state", "")), "pending")
        origin = str(each.get("cached_from") or "")
        error = each.get("error") or {}
        yield Seen(
            path=name if number == 1 else f"{name}~{number}",
            state="cached" if origin and state == "succeeded" else state,
            started=_time(each.get("start_time")),
            ended=_time(each.get("end_time")) if state not in ("running", "pending", "waiting") else None,
            error=str(error.get("message", "")) if isinstance(error, Mapping) else "",
            pod=str(each.get("pod_name") or ""),
            cached_from=origin,
        )


def _error(said: Mapping[str, Any], records: tuple[TaskRecord, ...], workflow: Mapping[str, Any] | None) -> str:
    """`run.error` is empty on failure: the first failed task has the reason, else the Workflow itself."""
    own = said.get("error") or {}
    if isinstance(own, Mapping) and own.get("message"):
        return str(own["message"])
    failed = [task for task in records if task.state == "failed" and task.kind == "task"]
    if failed:
        first = min(failed, key=lambda task: task.ended or 0.0)
        return f"{first.path}: {first.error or 'failed'}"
    message = str((workflow or {}).get("status", {}).get("message") or "")
    return message or "KFP says no more than that it failed; its UI and the pods' logs may"


def _time(text: Any) -> float | None:
    """Seconds since the epoch; KFP writes 1970 for what has not happened yet."""
    if not text:
        return None
    at = datetime.fromisoformat(str(text)).timestamp()
    return at if at > 0 else None

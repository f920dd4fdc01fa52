"""Graph -> what Argo Workflows runs: a WorkflowTemplate, and what its pods read. Pure: same input, same bytes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tidegate import __version__
from tidegate.argo import names, wire
from tidegate.argo.dags import Templates
from tidegate.argo.leaf import RUNNER_FILE, RUNNER_VOLUME, STEPS_VOLUME, TEMPORARY_VOLUME, WORK_VOLUME
from tidegate.argo.options import Options, Schedule
from tidegate.graph.model import Component, Graph
from tidegate.spec.errors import Problem, SpecError

MAX_MAP = 900_000
"""Bytes that a ConfigMap of steps may have; Kubernetes takes 1 MiB."""
API = "argoproj.io/v1alpha1"
_RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_OF_ARGO = json.dumps(
    {
        "initContainers": [{"name": "init", "securityContext": _RESTRICTED}],
        "containers": [{"name": "wait", "securityContext": _RESTRICTED}],
    }
)
"""Argo's own containers are not restricted unless its controller is set up so."""


def compile(graph: Graph, options: Options, runner: bytes) -> list[dict[str, Any]]:
    """The objects to apply: ConfigMaps first, the WorkflowTemplate, and a CronWorkflow where there is a schedule.

    `runner`: the step runner (`runner.archive()`).
    Raises: SpecError for each thing that Argo cannot express, with its task and the reason.
    """
    name = names.dns(options.name or graph.name)
    made = Templates(options, options.key_prefix or name)
    entry = made.root(graph)
    if made.problems:
        raise SpecError(_once(made.problems))
    maps = [_runner(runner, options), *_steps(made.steps, name, options)]
    spec = _spec(graph, made, entry, [each["metadata"]["name"] for each in maps], name, options)
    meta = _metadata(name, name, options)
    meta["annotations"] = {"tidegate.io/version": __version__, "workflows.argoproj.io/title": graph.name}
    template = {"apiVersion": API, "kind": "WorkflowTemplate", "metadata": meta, "spec": spec}
    schedule = [_cron(name, options.schedule, graph, options)] if options.schedule else []
    return [*maps, template, *schedule]


def workflow(template: Mapping[str, Any], values: Mapping[str, Any], graph: Graph, name: str = "") -> dict[str, Any]:
    """A run of a compiled pipeline. `values`: its parameters, checked. `name`: empty: Kubernetes makes one."""
    meta = template["metadata"]
    return {
        "apiVersion": API,
        "kind": "Workflow",
        "metadata": {
            **({"name": name} if name else {"generateName": f"{meta['name']}-"}),
            **({"namespace": meta["namespace"]} if "namespace" in meta else {}),
            "labels": dict(meta["labels"]),
        },
        "spec": {
            "workflowTemplateRef": {"name": meta["name"]},
            **_given(values, graph),
        },
    }


def _given(values: Mapping[str, Any], graph: Graph) -> dict[str, Any]:
    types = {name: declared.type for name, declared in graph.root.parameters.items()}
    said = [{"name": name, "value": wire.argument(value, types[name])} for name, value in sorted(values.items())]
    return {"arguments": {"parameters": said}} if said else {}


def _spec(graph: Graph, made: Templates, entry: str, maps: list[str], name: str, options: Options) -> dict[str, Any]:
    dags = [each for each in reversed(made.found.values()) if "dag" in each]
    pods = options.pods
    secrets = sorted({*pods.image_pull_secrets, *made.pull_secrets})
    user = {"runAsUser": pods.run_as_user, "runAsGroup": pods.run_as_user, "fsGroup": pods.run_as_user}
    ttl = {
        key: seconds
        for key, seconds in (
            ("secondsAfterSuccess", options.ttl_after_success),
            ("secondsAfterFailure", options.ttl_after_failure),
        )
        if seconds
    }
    spec: dict[str, Any] = {
        "entrypoint": entry,
        "arguments": {"parameters": _arguments(graph.root)},
        "serviceAccountName": options.service_account,
        "workflowMetadata": {"labels": _labels(name)},
        "podMetadata": {"labels": {"tidegate.io/pipeline": name}},
        "securityContext": {
            **({"runAsNonRoot": True, **user} if pods.run_as_user else {}),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "podSpecPatch": _OF_ARGO,
        "imagePullSecrets": [{"name": each} for each in secrets],
        "podPriorityClassName": pods.priority_class,
        "parallelism": options.parallelism,
        "activeDeadlineSeconds": options.deadline,
        "ttlStrategy": ttl,
        "podGC": {"strategy": options.pod_gc} if options.pod_gc else {},
        "artifactGC": {"strategy": options.artifact_gc} if options.artifact_gc != "Never" else {},
        "volumes": _volumes(maps),
        "templates": [*dags, *(each for each in made.found.values() if "dag" not in each)],
    }
    if not spec["arguments"]["parameters"]:
        del spec["arguments"]
    return {key: value for key, value in spec.items() if value not in ("", 0, {}, [])}


def _arguments(root: Component) -> list[dict[str, Any]]:
    found = []
    for name, declared in root.parameters.items():
        said: dict[str, Any] = {"name": name}
        if declared.has_default or declared.optional:
            said["value"] = wire.argument(declared.default, declared.type)
        if declared.literals:
            said["enum"] = [wire.argument(each, declared.type) for each in declared.literals]
        found.append(said)
    return found


def _volumes(maps: list[str]) -> list[dict[str, Any]]:
    runner, *steps = maps
    sources = [{"configMap": {"name": each}} for each in steps]
    return [
        {"name": WORK_VOLUME, "emptyDir": {}},
        {"name": TEMPORARY_VOLUME, "emptyDir": {}},
        {"name": STEPS_VOLUME, **(sources[0] if len(sources) == 1 else {"projected": {"sources": sources}})},
        {"name": RUNNER_VOLUME, "configMap": {"name": runner}},
    ]


def _runner(content: bytes, options: Options) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    data = {RUNNER_FILE: base64.b64encode(content).decode()}
    return _map(f"tidegate-runner-{digest[:10]}", "", {"binaryData": data}, options)


def _steps(texts: Mapping[str, str], pipeline: str, options: Options) -> list[dict[str, Any]]:
    groups: list[dict[str, str]] = [{}]
    size = 0
    for name, text in texts.items():
        length = len(text.encode())
        if length > MAX_MAP:
            raise SpecError(
                [
                    Problem(
                        name,
                        f"{length >> 10} KiB of source: Kubernetes holds no more than 1 MiB; put it into the image",
                    )
                ]
            )
        if groups[-1] and size + length > MAX_MAP:
            groups.append({})
            size = 0
        groups[-1][name] = text
        size += length
    digest = hashlib.sha256(json.dumps(dict(texts)).encode()).hexdigest()[:10]
    return [
        _map(f"{pipeline}-steps-{digest}" + (f"-{number}" if number > 1 else ""), pipeline, {"data": group}, options)
        for number, group in enumerate(groups, 1)
    ]


def _map(name: str, pipeline: str, content: Mapping[str, Any], options: Options) -> dict[str, Any]:
    meta = _metadata(name, pipeline, options)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "immutable": True, **content}


def _cron(name: str, schedule: Schedule, graph: Graph, options: Options) -> dict[str, Any]:
    meta = _metadata(name, name, options)
    spec: dict[str, Any] = {
        "schedules": [schedule.cron],
        "timezone": schedule.timezone,
        "concurrencyPolicy": schedule.concurrency,
    }
    if schedule.starting_deadline:
        spec["startingDeadlineSeconds"] = schedule.starting_deadline
    spec["workflowMetadata"] = {"labels": _labels(name)}
    spec["workflowSpec"] = {"workflowTemplateRef": {"name": name}, **_given(schedule.parameters, graph)}
    return {"apiVersion": API, "kind": "CronWorkflow", "metadata": meta, "spec": spec}


def _metadata(name: str, pipeline: str, options: Options) -> dict[str, Any]:
    namespace = {"namespace": options.namespace} if options.namespace else {}
    return {"name": name, **namespace, "labels": _labels(pipeline)}


def _labels(pipeline: str) -> dict[str, str]:
    return {"app.kubernetes.io/managed-by": "tidegate"} | ({"tidegate.io/pipeline": pipeline} if pipeline else {})


def _once(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))

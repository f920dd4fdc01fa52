"""What `--on argo` sends: the ConfigMaps that pods read, and one Workflow that holds the whole pipeline. Pure.

The Workflow brings its templates itself, rather than to name the WorkflowTemplate: that one may be somebody else's (a
Git repository's, that Argo CD syncs), and a run must not change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidegate.argo import compiling
from tidegate.argo.options import Options
from tidegate.graph.build import build
from tidegate.graph.model import Component, Dag, Task
from tidegate.spec import Pipeline

RUN = "tidegate.io/run"
"""Label of workflows that a store has a record of: the run's id, which is the workflow's name as well."""
USER = "tidegate.io/user"
_DEFAULT_ACCOUNT = "default"
_LABEL = 63


@dataclass(frozen=True, slots=True)
class Needed:
    """Something that must be in the namespace before the run starts."""

    kind: str
    """`secret`, `config map` or `volume claim`."""
    name: str
    key: str = ""
    """Of a secret or config map; empty: any."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One run, as it is sent."""

    pipeline: str
    name: str
    """The Workflow's, and the run's id."""
    config_maps: tuple[Mapping[str, Any], ...]
    workflow: Mapping[str, Any]

    @property
    def service_account(self) -> str:
        return str(self.workflow["spec"].get("serviceAccountName") or _DEFAULT_ACCOUNT)

    def documents(self) -> list[dict[str, Any]]:
        """In the order in which they are sent; `kubectl create -f` does the same with them."""
        return [dict(each) for each in (*self.config_maps, self.workflow)]

    def needs(self) -> tuple[Needed, ...]:
        """What the pods name and the run does not bring."""
        brought = {str(each["metadata"]["name"]) for each in self.config_maps}
        found = dict.fromkeys(_needed(self.workflow["spec"]))
        return tuple(each for each in found if not (each.kind == "config map" and each.name in brought))


def prepare(
    pipeline: Pipeline,
    values: Mapping[str, Any],
    run: str,
    options: Options,
    runner: bytes,
    again: str = "",
    user: str = "",
) -> Submission:
    """values: the parameters, checked. run: the run's id. runner: see `compiling.compile`. again: a task that the cache
    shall not answer. user: who starts it, kept as an annotation.

    Raises: SpecError for each thing that Argo cannot express.
    """
    graph = build(pipeline)
    if again:
        graph = replace(graph, root=_uncached(graph.root, [part for part in again.split("/") if not part.isdecimal()]))
    *maps, template = compiling.compile(graph, replace(options, schedule=None), runner)
    workflow = compiling.workflow(template, values, graph, run)
    meta = workflow["metadata"]
    meta["labels"] = {**meta["labels"], RUN: run[:_LABEL]}
    meta["annotations"] = {**template["metadata"].get("annotations", {}), **({USER: user} if user else {})}
    given = {each["name"]: each for each in workflow["spec"].get("arguments", {}).get("parameters", ())}
    spec = {**template["spec"], **workflow["spec"]}
    del spec["workflowTemplateRef"]
    if declared := template["spec"].get("arguments", {}).get("parameters"):
        spec["arguments"] = {"parameters": [{**each, **given.get(each["name"], {})} for each in declared]}
    return Submission(graph.name, run, tuple(maps), {**workflow, "spec": spec})


def _uncached(component: Component, path: list[str]) -> Component:
    """The component with caching off for the task that the path leads to, and all in it."""
    if not isinstance(component.body, Dag):
        return component
    tasks: dict[str, Task] = {}
    for name, task in component.body.tasks.items():
        if path and name != path[0]:
            tasks[name] = task
            continue
        inner = _uncached(task.component, path[1:])
        tasks[name] = replace(task, component=inner, caching=task.caching and len(path) > 1)
    return replace(component, body=replace(component.body, tasks=tasks))


def _needed(value: Any) -> Iterator[Needed]:
    """Secrets, config maps and claims that a manifest names, wherever it does."""
    if isinstance(value, list):
        for each in value:
            yield from _needed(each)
    if not isinstance(value, Mapping):
        return
    for field, kind, name in _REFERENCES:
        said = value.get(field)
        if not isinstance(said, Mapping) or said.get("optional"):
            continue
        if isinstance(said.get(name), str) and "{{" not in said[name]:
            yield Needed(kind, said[name], str(said.get("key", "")) if "Ref" in field else "")
    for field, said in value.items():
        if field != "memoize":
            yield from _needed(said)


_REFERENCES = (
    ("secretKeyRef", "secret", "name"),
    ("configMapKeyRef", "config map", "name"),
    ("secret", "secret", "secretName"),
    ("configMap", "config map", "name"),
    ("persistentVolumeClaim", "volume claim", "claimName"),
)

"""Argo Workflows through the Kubernetes API, with the user's own rights; the Argo server is not needed."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from tidegate.argo import follow
from tidegate.argo.follow_nodes import cached_keys
from tidegate.argo.follow_others import MANAGED, run_of
from tidegate.argo.submit import Submission
from tidegate.argo.submit_checks import ARGO, problems
from tidegate.cluster import objects, pods
from tidegate.cluster.kube import Kube, KubeError, path
from tidegate.cluster.observed import ClusterError, GoneError, Observed, RefusedError
from tidegate.graph.build import build
from tidegate.graph.model import Graph
from tidegate.spec import load
from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord

_CONTROLLER = "argo"
"""The namespace that Argo's own manifests give its controller."""
_EXECUTOR = re.compile(rb'time="[^"]*" level=\w+ msg=".*" argo=true(?: .*)?\n?')


class Argo:
    """A Cluster (see `cluster.observed`)."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._graphs: dict[str, Graph | None] = {}
        self._repositories: dict[str, Mapping[str, Any]] = {}
        self._origins: dict[str, str] = {}
        """Cache key -> the workflow whose outputs answer."""

    def send(self, prepared: Submission) -> dict[str, Any]:
        """Raises: RefusedError before anything is sent; ClusterError, UnreachableError."""
        place = self._kube.place
        if found := problems(self._kube, prepared):
            raise RefusedError(found, f"Argo Workflows in namespace {place.namespace}")
        for each in prepared.config_maps:
            name = str(each["metadata"]["name"])
            at = path("api", "v1", "namespaces", place.namespace, "configmaps", name)
            self._kube.apply(at, each, f"bring the code of the steps (config map {name})")
        made = self._kube.create(self._at(), prepared.workflow, "start the run")
        return {
            "context": place.context,
            "namespace": place.namespace,
            "workflow": made["metadata"]["name"],
            "uid": made["metadata"].get("uid", ""),
        }

    def observe(self, run: RunRecord) -> Observed:
        found = self._get(run)
        self._find_origins(found)
        return follow.observe(run, found, self._graph(run), self._origins)

    def others(self, known: Container[str]) -> Iterator[tuple[RunRecord, Observed]]:
        """The namespace's runs of tidegate's pipelines whose workflows' uids are not `known`, oldest first.

        Raises: UnreachableError, ClusterError.
        """
        more = ""
        found: list[dict[str, Any]] = []
        while True:
            query = {"labelSelector": MANAGED, "limit": "50"} | ({"continue": more} if more else {})
            page = self._kube.get(self._at(), "list workflows", **query)
            found += [each for each in page.get("items") or () if each["metadata"].get("uid") not in known]
            more = str((page.get("metadata") or {}).get("continue") or "")
            if not more:
                break
        for each in sorted(found, key=lambda workflow: str(workflow["metadata"]["creationTimestamp"])):
            run = run_of(each, self._kube.place.context)
            yield run, follow.observe(run, each, None, self._origins)

    def cancel(self, run: RunRecord, again: bool) -> None:
        name = _workflow(run)
        body = {"spec": {"shutdown": "Terminate" if again else "Stop"}}
        self._kube.merge(self._at(name), body, f"stop workflow {name}")

    def log(self, run: RunRecord, task: TaskRecord, pod: str, follow: bool) -> Iterator[bytes]:
        if not pod:
            raise ClusterError(f"task {task.path} of run {run.id} has no pod, and so no log")
        rest = b""
        for piece in pods.log(self._kube, pod, follow):
            *lines, rest = (rest + piece).split(b"\n")
            yield b"".join(line + b"\n" for line in lines if not _EXECUTOR.fullmatch(line))
        if rest and not _EXECUTOR.fullmatch(rest):
            yield rest

    def fetch(self, run: RunRecord, artifact: ArtifactRecord, to: Path) -> None:
        repository = self._repositories.get(run.id)
        if repository is None:
            found = self._get(run)
            ref = (found.get("status") or {}).get("artifactRepositoryRef") or {}
            repository = self._repositories[run.id] = ref.get("artifactRepository") or {}
        objects.fetch(self._kube, repository, artifact.uri.split("://", 1)[-1].partition("/")[2], to)

    def link(self, run: RunRecord) -> str:  # noqa: ARG002 - where Argo's UI is, if there is one, nobody says
        return ""

    def _get(self, run: RunRecord) -> dict[str, Any]:
        name = _workflow(run)
        try:
            found = self._kube.get(self._at(name), f"read workflow {name}")
        except KubeError as error:
            if error.status == 404:
                raise GoneError(f"workflow {name} is not in namespace {self._kube.place.namespace} any more") from error
            raise
        if (uid := run.settings.get("uid")) and found["metadata"].get("uid") != uid:
            raise GoneError(f"workflow {name} is another one now: it was deleted and made anew")
        return found

    def _at(self, *name: str) -> str:
        return path("apis", ARGO, "v1alpha1", "namespaces", self._kube.place.namespace, "workflows", *name)

    def _graph(self, run: RunRecord) -> Graph | None:
        if run.id not in self._graphs:
            self._graphs[run.id] = build(load(run.spec, run.id)) if run.spec else None
        return self._graphs[run.id]

    def _find_origins(self, workflow: Mapping[str, Any]) -> None:
        """Which workflows the cache's answers are of: its ConfigMaps know a node's id, `<workflow>-<number>`."""
        keys = {key: map for key, map in cached_keys(workflow).items() if key not in self._origins}
        for name in sorted(set(keys.values())):
            entries = self._cache(name)
            for key in (key for key, map in keys.items() if map == name):
                self._origins[key] = _origin(entries.get(key, ""))

    def _cache(self, name: str) -> Mapping[str, str]:
        """The entries of a cache, which Argo keeps where its controller is; none where the user may not read them."""
        for namespace in dict.fromkeys((self._kube.place.namespace, _CONTROLLER)):
            at = path("api", "v1", "namespaces", namespace, "configmaps", name)
            with contextlib.suppress(KubeError):
                return self._kube.get(at, f"read the cache {name}").get("data") or {}
        return {}


def _origin(entry: str) -> str:
    try:
        return str(json.loads(entry).get("nodeID", "")).rpartition("-")[0]
    except (ValueError, AttributeError):
        return ""


def _workflow(run: RunRecord) -> str:
    return str(run.settings.get("workflow") or run.id)

"""Argo as an engine of the conformance suite: many cases at once, each twice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.case import FILES, Case, Made, Outcome
from tests.e2e.cluster import IMAGE, Namespace
from tidegate.argo import nodes, runner, wire
from tidegate.argo.compiling import compile, workflow
from tidegate.argo.options import Options
from tidegate.graph.build import build
from tidegate.graph.model import Dag, Graph
from tidegate.spec import SpecError, check_parameters, load

_DONE = ("Succeeded", "Failed", "Error")
_SECONDS = float(os.environ.get("TIDEGATE_E2E_SECONDS", "900"))
"""For all cases of one go."""


@dataclass(frozen=True)
class Compiled:
    case: Case
    graph: Graph
    documents: list[dict[str, Any]]
    run: dict[str, Any]


@dataclass
class Argo:
    namespace: Namespace
    objects: Any
    bucket: str
    at_once: int = 8
    refused: dict[str, str] = field(default_factory=dict)
    """Case -> why it is not for Argo."""

    def options(self) -> Options:
        return Options(
            namespace=self.namespace.name,
            images={"python:3.*": IMAGE, "tidegate/host:*": IMAGE},
            host_image=IMAGE,
            repository=f"s3://{self.bucket}",
        )

    def compiled(self, case: Case) -> Compiled | None:
        """None where the compiler refuses it."""
        pipeline = load(case.ir)
        graph = build(pipeline)
        prefix = f"s3://{self.bucket}/conformance/{nodes_name(case)}"
        values = check_parameters(pipeline, {name: _placed(value, prefix) for name, value in case.parameters.items()})
        try:
            documents = compile(graph, self.options(), runner.archive())
        except SpecError as error:
            self.refused[case.name] = str(error)
            return None
        run = workflow(documents[-1], values, graph)
        return Compiled(case, graph, documents, run)

    def bring(self, case: Case) -> None:
        """What must be there before the case runs."""
        import obstore

        for path, text in case.files.items():
            obstore.put(self.objects, f"conformance/{nodes_name(case)}/{path}", text.encode())
        kinds = (("Secret", case.secrets, "stringData"), ("ConfigMap", case.config_maps, "data"))
        documents = [
            {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, field: dict(data)}
            for kind, group, field in kinds
            for name, data in group.items()
        ]  # fmt: skip
        if documents:
            self.namespace.apply(documents)

    def run_all(
        self, cases: Sequence[Compiled], ended: Callable[[Case, Outcome], None] = lambda *_: None
    ) -> dict[str, Outcome]:
        """Case -> what became of it."""
        waiting = list(cases)
        going: dict[str, Compiled] = {}
        found: dict[str, Outcome] = {}
        deadline = time.monotonic() + _SECONDS
        while waiting or going:
            while waiting and len(going) < self.at_once:
                each = waiting.pop(0)
                self.bring(each.case)
                self.namespace.apply(each.documents)
                going[self.namespace.create(each.run)] = each
            assert time.monotonic() < deadline, (
                f"not done in {_SECONDS} s: {[each.case.name for each in going.values()]}"
            )
            time.sleep(1)
            for name, said in self.namespace.workflows().items():
                if name in going and said.get("status", {}).get("phase") in _DONE:
                    each = going.pop(name)
                    try:
                        found[each.case.name] = self.outcome(each, said)
                    except Exception as error:  # of this case alone
                        found[each.case.name] = Outcome(f"not readable: {error!r:.500}", {})
                    ended(each.case, found[each.case.name])
        return found

    def outcome(self, compiled: Compiled, said: Mapping[str, Any]) -> Outcome:
        states: dict[str, str] = {}
        errors: dict[str, str] = {}
        values: dict[str, dict[str, Any]] = {}
        outputs: Mapping[str, Any] = {}
        for node in nodes.unpacked(said["status"]).values():
            path = nodes.path_of(node["name"])
            if not path:
                outputs = self._outputs(node) if node["phase"] == "Succeeded" else self._left(compiled, said)
                continue
            if node["type"] not in ("Pod", "Retry", "Skipped") or node.get("nodeFlag", {}).get("retried"):
                continue
            if path.endswith(f"/{nodes.ITERATION}") or path.rpartition("/")[2] == nodes.START:
                continue
            states[path] = _state(node)
            if states[path] == "failed":
                errors[path] = nodes.reason(node, nodes.unpacked(said["status"]))
            if states[path] in ("succeeded", "cached"):
                values[path] = {name: value for name, value in _values(node).items() if not _describes_artifacts(value)}
        state = "succeeded" if said["status"]["phase"] == "Succeeded" else "failed"
        return Outcome(state, outputs, states, errors, values)

    def _outputs(self, node: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._brought(value) for name, value in _values(node).items()}

    def _left(self, compiled: Compiled, said: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs of a pipeline that failed: Argo gives it none, and its tasks have theirs."""
        by_path = {nodes.path_of(node["name"]): node for node in nodes.unpacked(said["status"]).values()}
        dag = compiled.graph.root.body
        assert isinstance(dag, Dag)
        found = {}
        for name, sources in (*dag.parameters.items(), *dag.artifacts.items()):
            for source in sources:
                made = _values(by_path.get(source.task, {}))
                if source.output in made and name not in found:
                    found[name] = self._brought(made[source.output])
        return found

    def _brought(self, value: Any) -> Any:
        """Artifacts with their content, all else as it is."""
        if not _describes_artifacts(value):
            return value
        made = tuple(self._made(each) for each in wire.artifacts(wire.dump(value)) or ())
        return made[0] if len(made) == 1 else made

    def _made(self, found: wire.Described) -> Made:
        artifact = found.artifact
        return Made(self._content(found.key), artifact.schema_title, dict(artifact.metadata))

    def _content(self, key: str) -> str | dict[str, str] | None:
        import obstore

        if not key:
            return None
        names = [each["path"] for batch in obstore.list(self.objects, prefix=key) for each in batch]
        below = {name.removeprefix(f"{key}/"): name for name in names if name.startswith(f"{key}/")}
        if below:
            return {name: self._text(path) for name, path in sorted(below.items())}
        return self._text(key)

    def _text(self, key: str) -> str:
        import obstore

        return bytes(obstore.get(self.objects, key).bytes()).decode()


def nodes_name(case: Case) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in case.name)


def _values(node: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that have a value."""
    found = {each["name"]: wire.load(each.get("value", "")) for each in node.get("outputs", {}).get("parameters", [])}
    return {name: value for name, value in found.items() if not isinstance(value, wire.Missing)}


def _describes_artifacts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(e, dict) and "identity" in e for e in value)


def _state(node: Mapping[str, Any]) -> str:
    phase = node["phase"]
    if phase == "Succeeded":
        return "cached" if node.get("memoizationStatus", {}).get("hit") else "succeeded"
    return "failed" if phase in ("Failed", "Error") else "skipped"


def _placed(value: Any, prefix: str) -> Any:
    return value.replace(FILES, prefix) if isinstance(value, str) else value

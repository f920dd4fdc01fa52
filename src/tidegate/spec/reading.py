"""Text -> Pipeline: YAML as kfp writes it (one or two documents), JSON, Vertex jobs; hostile text is refused early."""

from __future__ import annotations

from typing import Any

import yaml
from google.protobuf import json_format

from tidegate.spec import json_text
from tidegate.spec.checking import check
from tidegate.spec.errors import Problem, SpecError
from tidegate.spec.messages import pb
from tidegate.spec.pipeline import Pipeline

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 60
"""Protobuf's own parser stops at 100 levels of messages; no pipeline comes near."""


def load(text: str | bytes, where: str = "") -> Pipeline:
    """Read and check a pipeline.

    Raises: SpecError with every problem found: not YAML, not a PipelineSpec, tasks that do not exist, cycles, ...
    """
    main, platforms = _parts(_documents(text, where), where)
    if "root" not in main:
        found = ", ".join(sorted(map(str, main))[:6]) or "nothing"
        raise _refused(
            where,
            f"this is not a compiled pipeline (no `root`; found: {found}). Compile it: `tidegate compile PIPELINE.py`",
        )
    spec = pb.PipelineSpec()
    deployment = pb.PipelineDeploymentConfig()
    try:
        json_format.ParseDict(main, spec, ignore_unknown_fields=True, max_recursion_depth=MAX_DEPTH)
        json_format.ParseDict(
            main.get("deploymentSpec") or {}, deployment, ignore_unknown_fields=True, max_recursion_depth=MAX_DEPTH
        )
    except Exception as error:  # protobuf's parser lets through whatever its conversions raise
        raise _refused(where, f"not a PipelineSpec: {error}") from None
    pipeline = Pipeline(spec.pipeline_info.name or "pipeline", spec, deployment, platforms, where)
    if problems := check(pipeline):
        raise SpecError(problems)
    return pipeline


def _parts(documents: list[dict[str, Any]], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The PipelineSpec and the platform specs, in whichever wrapping they come."""
    main = documents[0]
    extra = documents[1:]
    for document in documents:
        if document.get("kind") == "PipelineVersion":  # kfp's `kubernetes_manifest_format`
            main = _mapping(document.get("spec"), where, "spec")
            extra = [_mapping(main.get("platformSpec"), where, "platformSpec")]
    if "pipelineSpec" in main:
        outer, main = main, _mapping(main["pipelineSpec"], where, "pipelineSpec")
        main = _with_job_values(main, _mapping(outer.get("runtimeConfig"), where, "runtimeConfig"), where)
    platforms: dict[str, Any] = {}
    for document in extra:
        platforms |= _mapping(document.get("platforms"), where, "platforms")
    return main, platforms


def _mapping(value: Any, where: str, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _refused(where, f"{what}: expected a mapping, found {type(value).__name__}")
    return value


class _Loader(yaml.CSafeLoader):
    """YAML whose mappings have each key once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _yaml(text: str, where: str) -> list[Any]:
    """Looked through before it is built: aliases (kfp writes none) are how a small file becomes a large one."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _refused(_line(where, event), "aliases (`*name`) are not allowed in pipelines")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _refused(_line(where, event), f"nested deeper than {MAX_DEPTH} levels")
    return [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]


def _line(where: str, event: Any) -> str:
    return f"{where}:{event.start_mark.line + 1}"


def _documents(text: str | bytes, where: str) -> list[dict[str, Any]]:
    if len(text) > MAX_BYTES:
        raise _refused(where, f"{len(text) >> 20} MiB of pipeline; at most {MAX_BYTES >> 20} are read")
    try:
        text = (text if isinstance(text, bytes) else text.encode()).decode()
    except UnicodeError as error:
        raise _refused(where, f"not UTF-8 text: {error}") from None
    try:
        documents = (
            [json_text.parse(text, MAX_DEPTH, unique=True)] if text.lstrip().startswith("{") else _yaml(text, where)
        )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"{where}:{mark.line + 1}" if mark else where
        raise _refused(line, f"not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _refused(where, f"not YAML or JSON: {str(error)[:300]}") from None
    if not documents:
        raise _refused(where, "the file is empty")
    for document in documents:
        if not isinstance(document, dict):
            raise _refused(where, f"expected a mapping, found {type(document).__name__}")
    return documents


def _with_job_values(main: dict[str, Any], runtime: dict[str, Any], where: str) -> dict[str, Any]:
    """A Vertex job's parameter values become the pipeline's defaults."""
    root = _mapping(main.get("root"), where, "root")
    inputs = _mapping(root.get("inputDefinitions"), where, "inputDefinitions")
    declared = _mapping(inputs.get("parameters"), where, "parameters")
    for name, value in _mapping(runtime.get("parameterValues"), where, "parameterValues").items():
        if isinstance(declared.get(name), dict):
            declared[name] = declared[name] | {"defaultValue": value, "isOptional": True}
    return main


def _refused(where: str, message: str) -> SpecError:
    return SpecError([Problem(where, message)])

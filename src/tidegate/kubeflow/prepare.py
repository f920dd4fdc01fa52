"""What a run on Kubeflow Pipelines sends, as plain data. Pure: `--dry-run` prints this, and a run sends this."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from tidegate.cluster.observed import RefusedError
from tidegate.graph.build import build
from tidegate.kubeflow.refusals import refusals
from tidegate.spec import Pipeline


@dataclass(frozen=True, slots=True)
class Options:
    experiment: str = "Default"
    caching: bool = True
    """False: no task is answered from the cache."""
    service_account: str = ""
    pipeline_root: str = ""
    """Where artifacts go (`minio://bucket/folder`); empty: as Kubeflow is set up."""


@dataclass(frozen=True, slots=True)
class Request:
    """The pipeline and its version are uploaded where they are not there yet; the run is started in any case."""

    pipeline: str
    version: str
    """Made of the package's digest: the same bytes are the same version, whoever uploads them. Empty: the run brings
    its package itself."""
    description: str
    experiment: str
    run: str
    """The run's display name."""
    parameters: Mapping[str, Any]
    service_account: str
    pipeline_root: str
    package: str
    """The IR, YAML."""

    def documents(self) -> list[dict[str, Any]]:
        """For `--dry-run`: all of it, the package last, as the documents it is made of."""
        said = {name: value for name, value in asdict(self).items() if name != "package"}
        return [said, *yaml.load_all(self.package, Loader=yaml.CSafeLoader)]


def prepare(pipeline: Pipeline, text: str, parameters: Mapping[str, Any], run: str, options: Options) -> Request:
    """pipeline: as read from `text`. parameters: checked and complete. run: the run's id.

    Raises: RefusedError with every reason why KFP's backend cannot run it.
    """
    if problems := refusals(build(pipeline)):
        raise RefusedError(problems, "Kubeflow Pipelines")
    package = text if options.caching else without_caching(text)
    digest = hashlib.sha256(package.encode()).hexdigest()
    return Request(
        pipeline=pipeline.name,
        version=f"{pipeline.name}-{digest[:12]}" if options.caching else "",
        description=f"sha256:{digest}",
        experiment=options.experiment,
        run=run,
        parameters=parameters,
        service_account=options.service_account,
        pipeline_root=options.pipeline_root,
        package=package,
    )


def without_caching(text: str) -> str:
    """The IR with every task's caching off.

    kfp's `enable_caching` is silently ignored for uploaded versions, and else reaches only the outermost tasks.
    """
    documents = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    spec = documents[0].get("pipelineSpec", documents[0])
    for component in (spec["root"], *(spec.get("components") or {}).values()):
        for task in ((component.get("dag") or {}).get("tasks") or {}).values():
            task.pop("cachingOptions", None)
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True)

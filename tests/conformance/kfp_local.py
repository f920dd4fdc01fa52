"""kfp's own local runner, as the suite drives it: kfp.local's SubprocessRunner, without Docker and without installs."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format

from tests.conformance.case import Case, Made, Outcome, differences, same
from tests.conformance.local import content, placed

DOCKER = "needs Docker"
"""Why a case cannot be tried: its components are containers."""


class Untried(Exception):  # noqa: N818
    """kfp.local cannot be given this case here; the message says why."""


@dataclass(frozen=True)
class KfpLocal:
    """Runs cases in `folder`, one at a time: kfp.local keeps its state in globals."""

    folder: Path

    def run(self, case: Case) -> Outcome:
        """Raises: Untried."""
        from kfp import local
        from kfp.local import config, pipeline_orchestrator
        from kfp.pipeline_spec import pipeline_spec_pb2

        spec = pipeline_spec_pb2.PipelineSpec()
        json_format.ParseDict(_readable(case), spec, ignore_unknown_fields=True)
        files = self.folder / "files"
        for path, text in case.files.items():
            (files / path).parent.mkdir(parents=True, exist_ok=True)
            (files / path).write_text(text)
        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(self.folder / "outputs"),
            workspace_root=str(self.folder / "workspace"),
        )
        given = {name: placed(value, str(files)) for name, value in case.parameters.items()}
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                made = pipeline_orchestrator.run_local_pipeline(spec, given)
        except Exception as error:
            return Outcome("failed", {}, errors={"": f"{type(error).__name__}: {error}"})
        finally:
            config.LocalExecutionConfig.instance = None
        return Outcome("succeeded", {name: _made(value) for name, value in made.items()})


def _readable(case: Case) -> dict[str, Any]:
    first: dict[str, Any] = next(iter(yaml.safe_load_all(case.ir)))
    if first.get("kind") == "PipelineVersion" or "pipelineSpec" in first:
        raise Untried("takes no such file")
    if "dag" not in first.get("root", {}):
        raise Untried("takes pipelines only")
    for executor in first.get("deploymentSpec", {}).get("executors", {}).values():
        command = executor.get("container", {}).get("command", [])
        if "container" in executor and not any("kfp.dsl.executor_main" in str(part) for part in command):
            raise Untried(DOCKER)
        if executor.get("container", {}).get("image", "python:3.11") != "python:3.11":
            raise Untried(DOCKER)
    return first


def _made(value: Any) -> Any:
    if isinstance(value, list) and value and all(hasattr(each, "schema_title") for each in value):
        return tuple(_made(each) for each in value)
    if hasattr(value, "schema_title"):
        path = Path(value.path) if value.path else None
        remote = "://" in value.uri
        return Made(content(path) if path and not remote else None, value.schema_title, dict(value.metadata))
    return value


def answer(case: Case, folder: Path) -> dict[str, str]:
    """How kfp.local does on a case: `same`, `other` or `untried`, and in words what it says instead."""
    try:
        found = KfpLocal(folder).run(case)
    except Untried as why:
        return {"answer": "untried", "said": str(why)}
    if not list(differences(case, found)):
        return {"answer": "same", "said": "fails, as it must" if case.state == "failed" else ""}
    if found.state == "failed":
        return {"answer": "other", "said": f"fails: {_plain(found.errors[''], folder)}"}
    if case.state == "failed":
        return {"answer": "other", "said": "succeeds"}
    wrong = {
        name: found.outputs.get(name)
        for name, value in case.outputs.items()
        if not same(value, found.outputs.get(name))
    }
    return {
        "answer": "other",
        "said": _plain("gives " + ", ".join(f"{name}={value!r}" for name, value in wrong.items()), folder),
    }


def _plain(text: str, folder: Path) -> str:
    """Of a message what is the same in every run: no colours, no paths."""
    text = re.sub(r"\x1b\[\d+m", "", text).replace(str(folder), "")
    return re.sub(r"-\d{4}-\d\d-\d\d-[\d-]+", "", text).splitlines()[0][:160]

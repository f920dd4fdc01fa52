"""kfp's own local runner, as the suite drives it: kfp.local's SubprocessRunner, without Docker and without installs.

Its processes are forked from this one, which has kfp imported, so that a task takes a moment and not a second; and
one after the other, since forks and threads do not go together.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from google.protobuf import json_format
from kfp.dsl import executor_main

from tests.conformance.case import Case, Made, Outcome, differences, same
from tests.conformance.local import content, placed
from tidegate.local.bootstrap import Function, parse

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
        (self.folder / "workspace").mkdir(exist_ok=True)
        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(self.folder / "outputs"),
            workspace_root=str(self.folder / "workspace"),
        )
        given = {name: placed(value, str(files)) for name, value in case.parameters.items()}
        try:
            with contextlib.redirect_stdout(io.StringIO()), _forking():
                made = pipeline_orchestrator.run_local_pipeline(spec, given)
        except Exception as error:
            return Outcome("failed", {}, errors={"": f"{type(error).__name__}: {error}"})
        finally:
            config.LocalExecutionConfig.instance = None
        return Outcome("succeeded", {name: _made(value) for name, value in made.items()})


@contextlib.contextmanager
def _forking() -> Iterator[None]:
    from kfp.local import subprocess_task_handler as handler
    from kfp.local.orchestrator import enhanced_dag_orchestrator as orchestrator

    with (
        mock.patch.object(orchestrator.concurrent.futures, "ThreadPoolExecutor", _Inline),
        mock.patch.object(handler, "run_local_subprocess", _run_forked),
        mock.patch.object(handler, "replace_python_executable", lambda command, _python: command),
    ):
        yield


class _Inline(Executor):
    """Does what it is given at once."""

    def __init__(self, max_workers: int) -> None:
        """As kfp.local calls a pool; max_workers: for nothing."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _run_forked(full_command: list[str], env_vars: dict[str, str] | None = None) -> int:
    """What the command of a lightweight component does, in a child of this process; its exit code."""
    program = parse(full_command)
    assert isinstance(program, Function), full_command
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.environ.update(env_vars or {})
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ephemeral_component.py"
            path.write_text(program.source or "")
            sys.argv = ["executor_main", "--component_module_path", str(path), *program.args]
            executor_main.executor_main()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


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
            raise Untried("needs an image, and Docker")
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

"""Runs a user's pipeline file with kfp, noting all that the result depends on; imported only when something changed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from tidegate.local.reference import PipelineError, Reference
from tidegate.local.tracking import Watch, fresh_modules, is_impure, is_users


@dataclass(slots=True)
class Compiled:
    """A compiled pipeline and what it was compiled from."""

    spec: str
    """The IR, YAML."""
    source: Path
    """The file that defines the pipeline."""
    files: set[str] = field(default_factory=set)
    """The user's files that were read: modules, and what they opened."""
    variables: dict[str, str | None] = field(default_factory=dict)
    """Environment variables that the user's code asked for."""
    repeatable: bool = True
    """False where the result may depend on more: the time, a listing of a folder, a process."""


def compile_reference(reference: Reference) -> Compiled:
    """Run the user's file and compile the pipeline in it.

    Raises: PipelineError with the user's own traceback, or a list of the pipelines there are.
    """
    watch = Watch()
    started = time.time()
    with (
        _import_path(reference.folder),
        fresh_modules() as users,
        contextlib.redirect_stdout(sys.stderr),
        watch.watching(),
    ):
        module = _execute(reference)
        spec = compile_pipeline(choose(module, reference))
    source = Path(str(module.__file__))
    files = {os.path.realpath(file) for file in (*users, *watch.files, str(source))}
    edited = any(not Path(file).is_file() or Path(file).stat().st_mtime > started for file in files)
    repeatable = watch.repeatable and not edited and not any(is_impure(file) for file in files)
    return Compiled(spec, source, files, watch.variables, repeatable)


def compile_pipeline(pipeline: Any) -> str:
    """The IR of a function that kfp decorated, as YAML; the platform's settings in a second document.

    As kfp's compiler writes it, but for two things: code and other long texts stand as blocks that a person can read,
    and there is no comment with the defaults, which in kfp is no longer one where a default has several lines.
    Raises: PipelineError.
    """
    from google.protobuf.json_format import MessageToDict

    try:
        documents = [MessageToDict(pipeline.pipeline_spec)]
        if pipeline.platform_spec.platforms:
            documents.append(MessageToDict(pipeline.platform_spec))
    except Exception as error:
        raise PipelineError(f"the pipeline does not compile: {error}") from error
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, width=120, allow_unicode=True)
    return text


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines as blocks."""


def _text(dumper: yaml.CSafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value.strip("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def choose(module: ModuleType, reference: Reference) -> Any:
    """The pipeline that the reference names, or the only one that the file defines."""
    from kfp.dsl.base_component import BaseComponent
    from kfp.dsl.graph_component import GraphComponent

    if reference.function:
        found = getattr(module, reference.function, None)
        if isinstance(found, BaseComponent):
            return found
    pipelines = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, GraphComponent) and value.pipeline_func.__module__ == module.__name__
    }
    names = ", ".join(f"{reference.where}:{name}" for name in pipelines)
    if reference.function:
        wrong = "is not a pipeline" if hasattr(module, reference.function) else "is not there"
        raise PipelineError(
            f"{reference.where}: {reference.function!r} {wrong}; "
            + (f"pipelines there: {names}" if names else "no function there has kfp's @dsl.pipeline")
        )
    if not pipelines:
        raise PipelineError(f"{reference.where} defines no pipeline: give a function kfp's @dsl.pipeline")
    if len(set(map(id, pipelines.values()))) > 1:
        raise PipelineError(f"{reference.where} defines several pipelines, say which: {names}")
    return next(iter(pipelines.values()))


def _execute(reference: Reference) -> ModuleType:
    try:
        if reference.module:
            return importlib.import_module(reference.module)
        assert reference.file is not None
        name = reference.file.stem if reference.file.stem.isidentifier() else "pipeline"
        spec = importlib.util.spec_from_file_location(name, reference.file)
        if spec is None or spec.loader is None:
            raise PipelineError(f"{reference.file} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module
    except PipelineError:
        raise
    except ModuleNotFoundError as error:
        if reference.module and error.name and reference.module.startswith(error.name):
            raise PipelineError(
                f"no module {error.name!r} here ({reference.folder}) or among the installed ones"
            ) from error
        raise PipelineError(f"{reference.where} cannot be loaded:\n{users_traceback(error)}") from error
    except (Exception, SystemExit) as error:
        raise PipelineError(f"{reference.where} cannot be loaded:\n{users_traceback(error)}") from error


def users_traceback(error: BaseException) -> str:
    """The traceback of `error` with the user's frames only."""
    told = traceback.TracebackException.from_exception(error)
    nested: traceback.TracebackException | None = told
    while nested is not None:
        users = [frame for frame in nested.stack if is_users(frame.filename)]
        nested.stack = traceback.StackSummary.from_list(users)
        nested = nested.__cause__ or (None if nested.__suppress_context__ else nested.__context__)
    return "".join(told.format()).rstrip()


@contextlib.contextmanager
def _import_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))

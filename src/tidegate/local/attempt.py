"""One attempt of one task: its folders before, its outputs after.

Paths are strings here: this is a good part of what a light task costs.
"""
# ruff: noqa: PTH102, PTH120, PTH123

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tidegate.graph.executor_io import OutputError, command_line, executor_input, read_outputs
from tidegate.graph.placeholders import path_of
from tidegate.graph.work import Artifact, Container, Outputs, Work
from tidegate.local.execution import Execution
from tidegate.store.digests import Content, UnsafeContent, read
from tidegate.store.runs import LOG, PROGRESS

_AT_ONCE = 1 << 20  # bytes that are digested without handing them to a thread

Contents = Mapping[tuple[str, int], Content]
"""What lies behind the artifacts: output and position -> content."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a task made, with digests."""

    outputs: Outputs
    contents: Contents = field(default_factory=dict)


def prepare(
    work: Work, id: str, folder: Path, names: Mapping[str, str], env: Mapping[str, str]
) -> tuple[dict[str, Any], Execution]:
    """Make the attempt's folder and give KFP's ExecutorInput and what to run.

    `env`: what secrets and config maps hold. Raises: PlaceholderError; OSError.
    """
    assert isinstance(work.executor, Container)
    outputs = f"{folder}/outputs"
    given = executor_input(work, outputs)
    command = command_line(work, given, {**names, "pipeline_task_name": work.path.rsplit("/", 1)[-1]})
    _make(str(folder))
    os.mkdir(f"{folder}/work")
    os.mkdir(outputs)
    if work.output_parameters:
        os.mkdir(f"{outputs}/.parameters")
    with open(f"{folder}/executor_input.json", "w", encoding="utf-8") as file:
        file.write(json.dumps(given))
    return given, Execution(
        id=id,
        image=work.executor.image,
        command=command,
        env={**work.executor.env, **env},
        workdir=folder / "work",
        log=folder / LOG,
        progress=folder / PROGRESS,
        memory=work.executor.memory,
        timeout=work.timeout,
    )


async def collect(work: Work, given: Mapping[str, Any]) -> Made:
    """Read what a task that ended well has made, and digest it. Raises: OutputError; OSError."""
    said = given["outputs"]["outputFile"]
    outputs = read_outputs(work, given, _text(said), _text)
    own = os.path.dirname(said)
    contents: dict[tuple[str, int], Content] = {}
    digested: dict[str, tuple[Artifact, ...]] = {}
    for name, artifacts in outputs.artifacts.items():
        made = []
        for position, artifact in enumerate(artifacts):
            path = local_path(artifact)
            if path is None:
                made.append(artifact)
                continue
            try:
                content = await _content(path, follow_links=not str(path).startswith(f"{own}/"))
            except UnsafeContent as error:
                raise OutputError(f"output {name!r}: {error}") from None
            contents[name, position] = content
            made.append(replace(artifact, digest=content.digest))
        digested[name] = tuple(made)
    return Made(replace(outputs, artifacts=digested), contents)


def local_path(artifact: Artifact) -> Path | None:
    """Where the content lies on this machine; None for a remote one."""
    if artifact.custom_path:
        return Path(artifact.custom_path)
    if "://" in artifact.uri and not artifact.uri.startswith("file:///"):
        return None
    return Path(path_of(artifact.uri)) if artifact.uri else None


async def tidy(folder: Path, succeeded: bool) -> None:
    """Drop what an attempt left in its working folder, and the code beside it; of one that failed, its outputs:
    nothing half-written stays.
    """
    for name in ("work", "work.code") if succeeded else ("outputs",):
        doomed = f"{folder}/{name}"
        try:
            with os.scandir(doomed) as left:
                empty = next(left, None) is None  # as most working folders are
        except FileNotFoundError:
            continue
        if not empty:
            await asyncio.to_thread(shutil.rmtree, doomed, ignore_errors=True)


def _make(folder: str) -> None:
    """Make a folder whose parents are mostly there, with as few calls as can be: they are what a light task costs."""
    try:
        os.mkdir(folder)
    except FileNotFoundError:
        _make(os.path.dirname(folder))
        os.mkdir(folder)


async def _content(path: Path, follow_links: bool) -> Content:
    try:
        found = path.stat()
        at_once = path.is_file() and found.st_size < _AT_ONCE
    except OSError:
        at_once = True
    return read(path, follow_links) if at_once else await asyncio.to_thread(read, path, follow_links)


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise OutputError(f"{path}: expected UTF-8 text: {error}") from None

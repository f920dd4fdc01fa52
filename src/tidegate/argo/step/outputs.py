"""What a step made: the task's files -> what Argo reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.argo import wire
from tidegate.argo.step import places
from tidegate.graph.executor_io import OutputError, read_outputs
from tidegate.graph.placeholders import path_of
from tidegate.graph.work import Artifact, Work
from tidegate.store.digests import ABSENT, UnsafeContent, read


def collect(work: Work, given: Mapping[str, Any], key: str, brought: Mapping[Path, wire.Described]) -> dict[str, str]:
    """Output -> its text.

    given: the ExecutorInput. key: where Argo puts this pod's artifacts. brought: the inputs, by where they are.
    Raises: OutputError.
    """
    made = read_outputs(work, given, _text(given["outputs"]["outputFile"]), _text)
    found = {name: wire.dump(value) for name, value in made.parameters.items()}
    for name, artifacts in made.artifacts.items():
        try:
            described = [_described(name, place, each, key, brought) for place, each in enumerate(artifacts)]
        except UnsafeContent as error:
            raise OutputError(f"output {name!r}: {error}") from None
        found[name] = wire.dump([wire.describe(each) for each in described])
    return found


def write(texts: Mapping[str, str]) -> None:
    """For Argo to read."""
    results = Path(places.RESULTS)
    results.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (results / name).write_text(text, encoding="ascii")


def _described(
    name: str, place: int, artifact: Artifact, key: str, brought: Mapping[Path, wire.Described]
) -> wire.Described:
    where = artifact.custom_path or artifact.uri
    if not artifact.custom_path and "://" in where and not where.startswith("file:///"):
        return wire.Described(artifact)  # elsewhere
    path = Path(path_of(where))
    for folder, input in brought.items():
        if path == folder or folder in path.parents:
            return _passed_on(artifact, path, folder, input)
    if _stays(path):
        return wire.Described(replace(artifact, digest=read(path, follow_links=True).digest))
    path = _kept(name, place, path)
    content = read(path)
    folders, links = _extras(path)
    kept = "" if content.digest == ABSENT else f"{key}/{path.relative_to(places.OUTPUTS)}"
    return wire.Described(replace(artifact, uri="", custom_path="", digest=content.digest), kept, folders, links)


def _passed_on(artifact: Artifact, path: Path, folder: Path, input: wire.Described) -> wire.Described:
    """An input, or a part of it, as an output: it stays where it is kept."""
    inside = str(path.relative_to(folder))
    digest = read(path).digest
    if inside == ".":
        kept, folders, links = input.key, input.folders, input.links
    else:
        kept, folders, links = f"{input.key}/{inside}" if input.key else "", (), {}
    return wire.Described(replace(artifact, uri="", custom_path="", digest=digest), kept, folders, links)


def _stays(path: Path) -> bool:
    """On a volume that outlives the pod, as far as can be seen: not one of ours."""
    ours = (Path(places.ROOT), Path(places.TEMPORARY), Path("/"))
    mounts = [parent for parent in path.parents if parent.is_mount()]
    return bool(mounts) and mounts[0] not in ours


def _kept(name: str, place: int, path: Path) -> Path:
    """Where Argo takes the content: at the output's own path, or below. What is elsewhere in the pod is copied."""
    own = Path(places.OUTPUTS, name)
    if path == own or own in path.parents or not path.exists():
        return path if path.exists() else own
    target = own / str(place) if own.exists() or place else own
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(path, target)
    return target


def _extras(root: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Empty folders and links, which object stores cannot hold; links are taken out of the folder."""
    folders: list[str] = []
    links: dict[str, str] = {}
    for folder, inner, files in os.walk(root):
        here = os.path.relpath(folder, root)
        for name in (*inner, *files):
            path = Path(folder, name)
            if path.is_symlink():
                links[os.path.normpath(f"{here}/{name}")] = os.path.relpath(path.resolve(), root.resolve())
        if not inner and not files:
            folders.append(here)
    for link in links:
        (root / link).unlink()
    return tuple(sorted(folders)), dict(sorted(links.items()))


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123
            return file.read()
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise OutputError(f"{path}: expected UTF-8 text: {error}") from None

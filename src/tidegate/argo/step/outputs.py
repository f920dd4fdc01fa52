"""What a step made: the task's files -> what Argo reads."""

from __future__ import annotations

import os
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
            described = [_described(name, each, key, brought) for each in artifacts]
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


def _described(name: str, artifact: Artifact, key: str, brought: Mapping[Path, wire.Described]) -> wire.Described:
    where = artifact.custom_path or artifact.uri
    if not artifact.custom_path and "://" in where and not where.startswith("file:///"):
        return wire.Described(artifact)
    path = Path(path_of(where))
    root = Path(places.OUTPUTS)
    own = root in path.parents
    content = read(path, follow_links=not own)
    if own:
        folders, links = _extras(path)
        kept = "" if content.digest == ABSENT else f"{key}/{path.relative_to(root)}"
        return wire.Described(replace(artifact, uri="", custom_path="", digest=content.digest), kept, folders, links)
    for place, input in brought.items():
        if path == place or place in path.parents:
            inside = str(path.relative_to(place))
            kept = input.key if inside == "." else f"{input.key}/{inside}"
            same = inside == "."
            return wire.Described(
                replace(artifact, uri="" if input.key else input.artifact.uri, custom_path="", digest=content.digest),
                kept if input.key else "",
                input.folders if same else (),
                input.links if same else {},
            )
    if any(parent.is_mount() for parent in path.parents if parent != Path("/")):
        return wire.Described(replace(artifact, digest=content.digest))  # on a volume, where others find it
    raise OutputError(
        f"output {name!r}: its content is at {path}, which ends with the pod: copy it to the output's own path, or to "
        "a volume"
    )


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

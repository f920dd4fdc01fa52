"""Importer tasks: an artifact that exists already becomes one of the run's. Done by the engine itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tidegate.graph.executor_io import OutputError
from tidegate.graph.work import Artifact, Importer, Outputs, Work
from tidegate.local.attempt import Made, local_path
from tidegate.store.digests import Content, UnsafeContent, read, still
from tidegate.store.store import Store


async def bring_in(work: Work, store: Store, here: Path) -> Made:
    """The importer's outputs. Local content must be there and is digested, unless an earlier import still holds.

    Relative paths count from `here`. Raises: OutputError.
    """
    importer = work.executor
    assert isinstance(importer, Importer)
    kind = importer.type
    uri = importer.uri
    if not uri:
        raise OutputError("the importer got no URI")
    if "://" not in uri:
        uri = str(here / Path(uri).expanduser())
    artifact = Artifact(
        name="artifact",
        uri=uri,
        schema_title=kind.schema_title,
        schema_version=kind.schema_version,
        instance_schema=kind.instance_schema,
        metadata=importer.metadata,
    )
    path = local_path(artifact)
    content: Content | None = None
    if path is not None:
        if not path.exists():
            raise OutputError(f"nothing to import at {path}: expected a file or folder, or a URI such as s3://...")
        content = await asyncio.to_thread(_content, path, _before(store, uri))
    names = list(work.output_artifacts) or ["artifact"]
    made = Artifact(
        names[0],
        uri,
        artifact.schema_title,
        artifact.schema_version,
        artifact.instance_schema,
        artifact.metadata,
        content.digest if content else "",
    )
    return Made(Outputs({}, {names[0]: (made,)}), {(names[0], 0): content} if content else {})


def _before(store: Store, uri: str) -> Content | None:
    row = store.database.first("SELECT id FROM artifacts WHERE uri = ? ORDER BY id DESC LIMIT 1", uri)
    return store.artifacts.content(row["id"]) if row else None


def _content(path: Path, before: Content | None) -> Content:
    try:
        return (before and still(path, before, follow_links=True)) or read(path, follow_links=True)
    except (UnsafeContent, OSError) as error:
        raise OutputError(f"cannot import {path}: {error}") from None

"""Importer tasks: an artifact that exists already becomes one of the run's."""

from __future__ import annotations

from tidegate.argo import wire
from tidegate.argo.step import inputs, places
from tidegate.graph.executor_io import OutputError
from tidegate.graph.work import Artifact, Importer, Work
from tidegate.store.digests import UnsafeContent, read


def bring_in(work: Work, repository: str) -> dict[str, str]:
    """The output's text. What lies in the artifact repository was brought, and is known by its content from here on.

    `repository`: its URI; empty: not known. Raises: OutputError.
    """
    importer = work.executor
    assert isinstance(importer, Importer)
    uri = importer.uri
    if not uri:
        raise OutputError("the importer got no URI")
    if "://" not in uri:
        raise OutputError(
            f"nothing to import at {uri}: pods see no file of the machine that started them; expected a URI such as "
            f"{repository or 's3://bucket'}/..."
        )
    name = next(iter(work.output_artifacts), "artifact")
    kind = importer.type
    artifact = Artifact(name, uri, kind.schema_title, kind.schema_version, kind.instance_schema, importer.metadata)
    prefix = f"{repository.rstrip('/')}/"
    if not repository or not uri.startswith(prefix):
        return {name: wire.dump([wire.describe(wire.Described(artifact))])}
    path = inputs.place_of(places.IMPORTED, 0)
    if not path.exists():
        raise OutputError(f"nothing to import at {uri}: expected a file or folder there")
    try:
        digest = read(path).digest
    except (UnsafeContent, OSError) as error:
        raise OutputError(f"cannot import {uri}: {error}") from None
    found = Artifact(name, uri, kind.schema_title, kind.schema_version, kind.instance_schema, importer.metadata, digest)
    return {name: wire.dump([wire.describe(wire.Described(found, uri.removeprefix(prefix)))])}

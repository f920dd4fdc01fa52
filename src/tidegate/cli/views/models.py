"""Models, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tidegate.cli import words
from tidegate.cli.tables import Cell, Column, table
from tidegate.cli.terminal import Terminal

if TYPE_CHECKING:
    from tidegate.models import ModelVersion
    from tidegate.store.records import ArtifactRecord

_MOST = 3  # metrics of a version
_PUSHED = (
    Column("MODEL"),
    Column("VERSION"),
    Column("SIGNED"),
    Column("PUSHED", right=True, optional=True),
    Column("RUN", flexible=True, optional=True),
    Column("METRICS", flexible=True, optional=True),
    Column("PATH", wide=True),
)
_TRAINED = (
    Column("ID", right=True),
    Column("NAME", flexible=True),
    Column("TASK", flexible=True),
    Column("RUN"),
    Column("MADE", right=True),
    Column("SIZE", right=True),
    Column("DIGEST"),
    Column("PATH", wide=True),
)


def pushed(
    listed: Sequence[tuple[ModelVersion, ArtifactRecord | None]], now: float, to: Terminal, wide: bool
) -> list[str]:
    if not listed:
        return ["no pushed models; `tidegate models --trained` lists what was trained"]
    rows = [
        (
            version.name,
            version.version,
            Cell("yes", "green") if version.signed else Cell("no", "yellow"),
            words.ago(artifact.created, now) if artifact else "",
            artifact.run if artifact else "",
            metrics(version.card.get("metrics", [])),
            str(version.path),
        )
        for version, artifact in listed
    ]
    return table(_PUSHED, rows, to, wide)


def trained(found: Sequence[ArtifactRecord], now: float, to: Terminal, wide: bool) -> list[str]:
    if not found:
        return ["no models"]
    rows = [
        (
            str(one.id),
            one.name,
            one.task,
            one.run,
            words.ago(one.created, now),
            words.size(one.size),
            words.digest(one.digest),
            one.uri,
        )
        for one in found
    ]
    return table(_TRAINED, rows, to, wide)


def metrics(entries: Sequence[Any]) -> str:
    """The candidate's first few metrics on all data: `auc 0.81 [0.80, 0.82]`."""
    said: list[str] = []
    for entry in entries:
        if entry.get("model") != "candidate" or entry.get("slice") != "overall" or entry.get("value") is None:
            continue
        text = f"{entry['name']} {words.number(entry['value'])}"
        if entry.get("low") is not None and entry.get("high") is not None:
            text += f" [{words.number(entry['low'])}, {words.number(entry['high'])}]"
        said.append(text)
    return ", ".join(said[:_MOST])

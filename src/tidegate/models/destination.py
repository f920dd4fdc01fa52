"""What is in a push destination. Reads only; the pusher writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.models.digest import CARD, SIGNATURE

_VERSION = re.compile(r"\d{5,}-[0-9a-f]{12}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class ModelNotFoundError(LookupError):
    """There is no such model or version; the message lists what there is."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One pushed version."""

    name: str
    version: str
    path: Path
    card: Mapping[str, Any]
    """model_card.json; empty where it cannot be read."""

    @property
    def number(self) -> int:
        return int(self.version.split("-")[0])

    @property
    def digest(self) -> str:
        return str(self.card.get("digest", ""))

    @property
    def signed(self) -> bool:
        return (self.path / SIGNATURE).is_file()

    @property
    def last_span(self) -> int:
        """The newest span that the model was trained on; -1 where its data has no spans."""
        spans = self.card.get("data", {}).get("spans") or [-1]
        return max(int(s) for s in spans)


def valid_name(name: str) -> bool:
    """Can a model be called so? It is a folder's name and part of URLs."""
    return _NAME.fullmatch(name) is not None


def names(destination: Path) -> list[str]:
    """The models in the destination, sorted; none where it does not exist."""
    if not destination.is_dir():
        return []
    return sorted(
        p.name for p in destination.iterdir() if p.is_dir() and valid_name(p.name) and versions(destination, p.name)
    )


def versions(destination: Path, name: str) -> list[ModelVersion]:
    """The versions of one model, oldest first. Folders that a killed push left behind are none."""
    folder = destination / name
    if not folder.is_dir():
        return []
    found = sorted(p for p in folder.iterdir() if _VERSION.fullmatch(p.name) and p.is_dir())
    return sorted((_read(name, p) for p in found), key=lambda v: (v.number, v.version))


def latest(destination: Path, name: str, before_span: int = -1) -> ModelVersion | None:
    """The last pushed version; with `before_span`, the last that was trained on older spans only."""
    fitting = [v for v in versions(destination, name) if before_span < 0 or v.last_span < before_span]
    return fitting[-1] if fitting else None


def find(model: str, destination: Path | None = None) -> ModelVersion:
    """The version that a person means: a path, `name`, `name/version`, or `name/<start of the version or digest>`.

    Raises: ModelNotFoundError.
    """
    path = Path(model)
    if (path / CARD).is_file():
        return _read(path.resolve().parent.name, path.resolve())
    if destination is None:
        raise ModelNotFoundError(
            f"{model} is no folder of a pushed model (it has no {CARD}); or say in which destination to look"
        )
    name, _, wanted = model.partition("/")
    known = versions(destination, name)
    if not known:
        there = ", ".join(names(destination)) or "none"
        raise ModelNotFoundError(f"no model {name!r} in {destination}; there are: {there}")
    digest = wanted.removeprefix("sha256:")
    fitting = [v for v in known if v.version.startswith(wanted) or v.version.split("-")[1].startswith(digest[:12])]
    if not fitting or (wanted and len(fitting) > 1):
        few = "no" if not fitting else "more than one"
        raise ModelNotFoundError(
            f"{few} version of {name!r} is like {wanted!r}; there are: {', '.join(v.version for v in known)}"
        )
    return fitting[-1]


def _read(name: str, path: Path) -> ModelVersion:
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        card = {}
    return ModelVersion(name, path.name, path, card if isinstance(card, dict) else {})

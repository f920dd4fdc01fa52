"""Artifacts as Argo moves them: by key, in the workflow's artifact repository."""

from __future__ import annotations

from typing import Any

from tidegate.argo import expressions
from tidegate.argo.step import places

KEY_FIELDS = {"s3": "key", "gcs": "key", "oss": "key", "azure": "blob"}
"""Kind of repository -> the field of a key."""


def output(name: str, prefix: str, storage: str) -> dict[str, Any]:
    """An output artifact: a file, or a folder file by file; one that holds nothing is left out."""
    return {
        "name": name,
        "path": f"{places.OUTPUTS}/{name}",
        "optional": True,
        "archive": {"none": {}},
        storage: {KEY_FIELDS[storage]: f"{prefix}/{name}"},
    }


def inputs(name: str, count: int, storage: str) -> list[dict[str, Any]]:
    """An input artifact, or the places of a list of them; where no artifact goes, Argo brings none."""
    text = expressions.input_of(name)
    return [
        _input(
            name, place, f'({text} startsWith "[" ? (get({expressions.value(text)}, {place})?.key ?? "") : "")', storage
        )
        for place in range(count)
    ]


def imported(uri: str, repository: str, storage: str) -> dict[str, Any]:
    """What an importer's URI (an expression for a string) leads to, where that is in the repository."""
    prefix = expressions.literal(repository.rstrip("/") + "/")
    key = f'({uri} startsWith {prefix} ? trimPrefix({uri}, {prefix}) : "")' if repository else '""'
    return _input(places.IMPORTED, 0, key, storage)


def _input(name: str, place: int, key: str, storage: str) -> dict[str, Any]:
    return {
        "name": f"{name}-{place}",
        "path": f"{places.INPUTS}/{name}/{place}",
        "optional": True,
        "archive": {"none": {}},
        storage: {KEY_FIELDS[storage]: expressions.tag(key)},
    }

"""Digests of files and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

CARD, CARD_TEXT, SIGNATURE, SETTINGS = "model_card.json", "model_card.md", "model.sig", "model-settings.json"
ABOUT = frozenset({CARD, CARD_TEXT, SIGNATURE, SETTINGS})
"""Files of a version that speak of the model and are not part of it."""


def content_digest(folder: Path, leave_out: Iterable[str] = ()) -> str:
    """`sha256:<hex>` of every file's relative path and content; neither order nor times nor modes matter.

    `leave_out`: names of files directly in `folder`.
    Raises: FileNotFoundError where there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    skipped = set(leave_out)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    whole = hashlib.sha256()
    for path in files:
        relative = path.relative_to(folder).as_posix()
        if relative in skipped:
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{digest} {len(relative)} {relative}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def model_digest(version: Path) -> str:
    """The digest of the model in a version's folder: everything but the card and the signature."""
    return content_digest(version, ABOUT)

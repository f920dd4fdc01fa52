"""No model is loaded that is not the one that was asked for, or not signed by who should have signed it."""

from __future__ import annotations

from pathlib import Path

from tidegate.models.digest import CARD, SIGNATURE, model_digest
from tidegate.models.signature import verify


class UntrustedModelError(Exception):
    """The model is not loaded; the message says why."""


def check(model: Path, digest: str = "", public_key: Path | None = None) -> None:
    """model: a version's folder, or the SavedModel's folder in it.
    digest: `sha256:<hex>` of the model's content; empty: any.
    public_key: whose signature must hold; None: none is needed.
    Raises: UntrustedModelError.
    """
    if not digest and public_key is None:
        return
    folder = _version(model)
    if public_key is not None:
        verdict = verify(folder, public_key)
        if not verdict.valid:
            raise UntrustedModelError(f"{folder} is not loaded: {verdict.reason}")
    if digest and (found := model_digest(folder)) != digest:
        raise UntrustedModelError(f"{folder} is not loaded: expected the model {digest}, found {found}")


def _version(model: Path) -> Path:
    parent = model.resolve().parent
    whole = any((parent / name).is_file() for name in (CARD, SIGNATURE)) or model.name == "Format-Serving"
    return parent if whole and not (model / CARD).is_file() else model

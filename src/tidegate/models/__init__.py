"""Pushed models: immutable versions in a folder, each with its card and, where a key was given, its signature.

    <destination>/<name>/<version>/   Format-Serving/ Samples/ model_card.json model_card.md model.sig

A version is `<number>-<digest>`: the number counts pushes (so that names sort), the digest is that of the model.
"""

from __future__ import annotations

from tidegate.models.destination import ModelNotFoundError, ModelVersion, find, latest, names, versions
from tidegate.models.digest import content_digest, model_digest
from tidegate.models.signature import Verification, sign, verify

__all__ = [
    "ModelNotFoundError",
    "ModelVersion",
    "Verification",
    "content_digest",
    "find",
    "latest",
    "model_digest",
    "names",
    "sign",
    "verify",
    "versions",
]

"""Secrets and config maps that tasks take as environment variables: from a file of the user's, never stored."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate.graph.work import Container

Secrets = Mapping[str, Mapping[str, str]]
"""Name of the secret or config map -> key -> value."""


class SecretsError(Exception):
    """The file is not as expected, or a task asks for what it does not hold."""


def load_secrets(path: Path) -> Secrets:
    """Read a YAML or JSON file: `name: {key: value}`, or Kubernetes' Secret and ConfigMap manifests.

    Raises: SecretsError.
    """
    import yaml

    found: dict[str, dict[str, str]] = {}
    try:
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader))
    except OSError as error:
        raise SecretsError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SecretsError(f"{path}: not YAML: {error}") from None
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict):
            raise SecretsError(f"{path}: expected `name: {{key: value}}`, found a {type(document).__name__}")
        if document.get("kind") in ("Secret", "ConfigMap"):
            name = str((document.get("metadata") or {}).get("name", ""))
            found.setdefault(name, {}).update(_manifest(document, path))
            continue
        for name, values in document.items():
            if not isinstance(values, dict):
                raise SecretsError(f"{path}: {name}: expected `key: value`, found a {type(values).__name__}")
            found.setdefault(str(name), {}).update({str(key): str(value) for key, value in values.items()})
    return found


def variables(container: Container, secrets: Secrets) -> dict[str, str]:
    """The environment variables that a task takes from them. Raises: SecretsError naming what is missing."""
    env: dict[str, str] = {}
    for wanted in container.env_from:
        value = secrets.get(wanted.name, {}).get(wanted.key)
        if value is not None:
            env[wanted.variable] = value
        elif not wanted.optional:
            raise SecretsError(
                f"the variable {wanted.variable} comes from key {wanted.key!r} of the {wanted.kind} {wanted.name!r}: "
                f"give a file with `{wanted.name}: {{{wanted.key}: ...}}` by --secrets"
            )
    return env


def _manifest(document: Mapping[str, Any], path: Path) -> dict[str, str]:
    data = {str(key): str(value) for key, value in (document.get("data") or {}).items()}
    if document["kind"] == "Secret":
        try:
            data = {key: base64.b64decode(value, validate=True).decode() for key, value in data.items()}
        except (binascii.Error, UnicodeDecodeError) as error:
            raise SecretsError(f"{path}: the data of a Secret is base64: {error}") from None
    return data | {str(key): str(value) for key, value in (document.get("stringData") or {}).items()}

"""Names as Kubernetes and Argo allow them."""

from __future__ import annotations

import re

from tidegate.spec.errors import Problem

_ARGO = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]*")
_PARAMETER = re.compile(r"[-A-Za-z0-9_]+")
MAX_TEMPLATE = 100
"""Characters: pods are named after templates, and Argo cuts what is longer."""


def dns(name: str, limit: int = 52) -> str:
    """The nearest name that Kubernetes allows for objects; `limit` leaves room for what is appended."""
    found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return found[:limit].strip("-") or "pipeline"


def template(name: str) -> str:
    """The nearest name that Argo allows for a template."""
    found = re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-")
    return found[:MAX_TEMPLATE].strip("-") or "step"


def unnamable(where: str, tasks: list[str], parameters: list[str]) -> list[Problem]:
    """The names that Argo has no way to say."""
    found = [
        Problem(where, f"task {name!r}: Argo's names are letters, digits and '-': rename it")
        for name in tasks
        if not _ARGO.fullmatch(name)
    ]
    return found + [
        Problem(where, f"{name!r}: Argo's parameters are letters, digits, '_' and '-': rename it")
        for name in parameters
        if not _PARAMETER.fullmatch(name)
    ]

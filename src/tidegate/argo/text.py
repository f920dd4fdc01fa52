"""Manifests as text that people read and compare: keys in the order given, long texts as blocks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./:@ -]*[A-Za-z0-9_/-]|[A-Za-z/]")
_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
"""What some reader of YAML takes for something else than text."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - what stands twice is written twice
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else "'"
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)
    return node


_Dumper.add_representer(str, _text)


def manifests(documents: Sequence[Mapping[str, Any]]) -> str:
    """YAML, one document an object."""
    return yaml.dump_all(
        [dict(each) for each in documents],
        Dumper=_Dumper,
        sort_keys=False,
        width=2**20,
        allow_unicode=True,
        explicit_start=True,
    )


def listing(documents: Sequence[Mapping[str, Any]]) -> str:
    """JSON, as one List, which kubectl takes as well."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)}, indent=2) + "\n"

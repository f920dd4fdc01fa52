"""Manifests as text that people read and compare: keys in the order given, long texts as blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - what stands twice is written twice
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value.rstrip("\n") or value.endswith("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


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

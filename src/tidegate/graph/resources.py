"""Kubernetes quantities as numbers."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(Ki|Mi|Gi|Ti|Pi|Ei|[kKMGTPE]|m)?i?")
_FACTORS = {
    "": 1.0, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def cores_of(text: str) -> float:
    """`500m` -> 0.5; empty, or a placeholder that only the run can fill: 0. Raises: ValueError."""
    return _number(text, "cores, such as `500m` or `2`")


def bytes_of(text: str) -> int:
    """`4Gi` -> 4294967296. Raises: ValueError."""
    return int(_number(text, "memory, such as `512Mi` or `4G`"))


def count_of(text: str) -> int:
    """`2` -> 2; empty, or a placeholder: 0. Raises: ValueError."""
    return int(_number(text, "a number of accelerators"))


def _number(text: str, wanted: str) -> float:
    if not text or "{{" in text:
        return 0.0
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected {wanted}, found {text!r}")
    return float(match[1]) * _FACTORS[match[2] or ""]

"""tidegate: ML pipelines that end in a safe rollout.

Importing this package is cheap and pulls in nothing of kfp or TensorFlow; the names below load what they need
when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["__version__", "module_files", "run"]

if TYPE_CHECKING:
    from tidegate.authoring import module_files
    from tidegate.local.api import run

_LAZY = {"run": "tidegate.local.api", "module_files": "tidegate.authoring"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

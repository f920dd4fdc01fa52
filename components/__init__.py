"""TFX-style components as KFP components: `from tidegate.components import example_gen, trainer`.

Each lives in a folder of its own: `component.py` is what KFP sees, `work.py` the plain function that does the work.
The KFP components load when first asked for, so that a worker that runs `trainer.work` does not import kfp for it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_COMPONENTS = {  # name: the folder whose component.py defines it
    "example_gen": "example_gen",
    "statistics_gen": "statistics_gen",
    "schema_gen": "schema_gen",
    "schema_importer": "schema_gen",
    "example_validator": "example_validator",
    "transform": "transform",
    "tuner": "tuner",
    "trainer": "trainer",
    "evaluator": "evaluator",
    "infra_validator": "infra_validator",
    "pusher": "pusher",
    "latest_span": "resolver",
    "latest_blessed_model": "resolver",
}

__all__ = sorted(_COMPONENTS)


class _Components(ModuleType):
    """A folder and its component share a name; the component wins, whichever was imported first."""

    def __getattr__(self, name: str) -> Any:
        if name not in _COMPONENTS:
            raise AttributeError(f"tidegate.components has no component {name!r}; there are: {', '.join(__all__)}")
        component = getattr(import_module(f"{__name__}.{_COMPONENTS[name]}.component"), name)
        super().__setattr__(name, component)
        return component

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _COMPONENTS and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Components

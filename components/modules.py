"""User modules: sources carried as a parameter (`tidegate.module_files`), imported here as the files they were."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tidegate.components.errors import ComponentError


def load_module(sources: Mapping[str, str], folder: str | Path | None = None) -> ModuleType:
    """Import the first of `sources` (file name -> text), with the others importable beside it.

    Files are written to `folder` (default: a temporary one), so that tracebacks show the user's own lines, and Beam
    workers and `import` find them.
    Raises: ComponentError for no sources, or a name that is not a plain `*.py` file name.
    """
    if not sources:
        raise ComponentError("no user module was given: pass module=tidegate.module_files('my_module.py')")
    target = Path(folder or tempfile.mkdtemp(prefix="user-module-"))
    for name, text in sources.items():
        if Path(name).name != name or not name.endswith(".py") or not name[:-3].isidentifier():
            raise ComponentError(f"user module {name!r}: expected a plain Python file name such as 'my_module.py'")
        (target / name).write_text(text, encoding="utf-8")
    first = next(iter(sources))
    if str(target) not in sys.path:
        sys.path.insert(0, str(target))
    stem = first[:-3]
    spec = importlib.util.spec_from_file_location(stem, target / first)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module
    spec.loader.exec_module(module)
    return module


def function_of(module: ModuleType, name: str) -> Callable[..., Any]:
    """The user's function `name`. Raises ComponentError that lists what the module does define."""
    function = getattr(module, name, None)
    if not callable(function):
        own = [n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module.__name__]
        there = ", ".join(sorted(own)) or "none"
        raise ComponentError(f"user module {module.__name__}.py defines no function {name!r}; it defines: {there}")
    return function

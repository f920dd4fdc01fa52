"""`from tfx import v1 as tfx` without the seconds that it takes.

`tfx.v1`, the packages in it and `tfx.components` only import names from elsewhere, all of them at once, orchestrators
and cloud clients too. Here such a package imports a name when it is first asked for. The objects are TFX's own: what
`tfx.components.FnArgs` gives is the class that the whole package would give.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = ("tfx.v1", "tfx.components")
_Names = Mapping[str, tuple[str, str]]
"""Name -> (module, name in it; empty for the module itself)."""


def install(packages: Sequence[str] = PACKAGES) -> None:
    """From now on these packages, and packages in them, load their names when asked for. Calling it again adds none."""
    if not any(isinstance(finder, _Finder) and finder.packages == tuple(packages) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(tuple(packages)))


class _Finder(MetaPathFinder):
    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(self.packages):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or not spec.submodule_search_locations:
            return None
        names = re_exported(Path(spec.origin).read_text(encoding="utf-8"), name)
        if names is None:
            return None
        spec.loader = _Lazy(names)
        return spec


class _Lazy(Loader):
    def __init__(self, names: _Names) -> None:
        self._names = names

    def exec_module(self, module: ModuleType) -> None:
        names = self._names

        def get(name: str) -> Any:
            if name not in names:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            source, attribute = names[name]
            found = import_module(source)
            value = getattr(found, attribute) if attribute else found
            setattr(module, name, value)
            return value

        module.__dict__.update(
            __getattr__=get, __dir__=lambda: sorted({*vars(module), *names}), __all__=[n for n in names if n[0] != "_"]
        )


def re_exported(source: str, package: str) -> _Names | None:
    """What a package's __init__.py imports for others; None where it does anything else."""
    names: dict[str, tuple[str, str]] = {}
    for statement in _statements(ast.parse(source)):
        if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            for alias in statement.names:
                target = (statement.module, alias.name)
                inside = statement.module == package or statement.module.startswith(f"{package}.")
                if statement.module == package and inside:
                    target = (f"{package}.{alias.name}", "")
                names[alias.asname or alias.name] = target
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        elif isinstance(statement, ast.Assign) and [ast.unparse(t) for t in statement.targets] == ["__all__"]:
            continue
        else:
            return None
    return names


def _statements(tree: ast.Module) -> list[ast.stmt]:
    """Top-level ones, and those of a `try` whose handlers are about ImportError alone."""
    found: list[ast.stmt] = []
    for statement in tree.body:
        if isinstance(statement, ast.Try) and all(
            handler.type is not None and ast.unparse(handler.type) == "ImportError" for handler in statement.handlers
        ):
            found += statement.body
        else:
            found.append(statement)
    return found

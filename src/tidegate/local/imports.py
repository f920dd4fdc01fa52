"""Which top-level modules a program imports, as its source shows: a warm worker may have them at hand."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tidegate.local.bootstrap import Code, Function, Module, Program, Script

_COMPONENTS = "tidegate.components"
_COMPONENTS_FOLDER = Path(__file__).parent.parent / "components"


def imported(program: Program, folder: Path) -> frozenset[str]:
    """The roots of the modules that `program` imports; into tidegate's own components it looks as well.

    A wrong answer costs time, never correctness. `folder`: where relative paths of scripts count from.
    """
    match program:
        case Function(source=source, args=args):
            return _of_source(source or "").union(*map(_of_source, _carried(args)))
        case Code(source=source):
            return _of_source(source)
        case Module(name=name):
            return frozenset({name.partition(".")[0]}) | _of_components({name})
        case Script(path=path):
            return _of_file(folder / path)
    return frozenset()


@lru_cache(maxsize=512)
def _of_source(source: str) -> frozenset[str]:
    names = _names(source)
    return frozenset(name.partition(".")[0] for name in names) | _of_components(names)


def _of_components(names: set[str] | frozenset[str]) -> frozenset[str]:
    """What those of `names` import that are modules of tidegate's components, and so on."""
    seen: set[Path] = set()
    roots: set[str] = set()
    ahead = [file for name in names for file in _files(name)]
    while ahead:
        file = ahead.pop()
        if file in seen:
            continue
        seen.add(file)
        found = _names_of_file(file, file.stat().st_mtime_ns)
        roots |= {name.partition(".")[0] for name in found}
        ahead += [other for name in found for other in _files(name)]
    return frozenset(roots)


def _carried(args: Sequence[str]) -> list[str]:
    """User modules that come as a parameter, file name -> source (`tidegate.module_files`)."""
    task = next((args[place + 1] for place, arg in enumerate(args[:-1]) if arg == "--executor_input"), "")
    if '.py"' not in task:
        return []
    try:
        values = json.loads(task)["inputs"]["parameterValues"].values()
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    files = [item for value in values if isinstance(value, dict) for item in value.items()]
    return [source for name, source in files if name.endswith(".py") and isinstance(source, str)]


def _files(name: str) -> list[Path]:
    if not name.startswith(_COMPONENTS + "."):
        return []
    place = _COMPONENTS_FOLDER.joinpath(*name[len(_COMPONENTS) + 1 :].split("."))
    return [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]


def _of_file(path: Path) -> frozenset[str]:
    try:
        return _of_source(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return frozenset()


@lru_cache(maxsize=512)
def _names_of_file(file: Path, changed: int) -> frozenset[str]:  # noqa: ARG001  (part of the memory's key)
    return _names(file.read_text(encoding="utf-8", errors="replace"))


def _names(source: str) -> frozenset[str]:
    """Every module that is imported anywhere in `source`, and (as they may be modules too) what is taken from them."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {module, *(f"{module}.{alias.name}" for alias in names)}
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if _imports(function):
                found.add(name)
    return frozenset(found)


def _imports(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")

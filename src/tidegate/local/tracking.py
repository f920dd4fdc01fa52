"""Notes what a user's pipeline file reads while it is compiled: modules, files, variables, and what cannot be kept."""

from __future__ import annotations

import ast
import contextlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, ClassVar

_IMPURE = frozenset("datetime time random uuid secrets subprocess socket urllib requests httpx".split())  # noqa: SIM905
_INSTALLED = tuple(
    {os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_PACKAGE = Path(__file__).parents[1]
_HERE = str(Path(__file__).parent)
_OURS = tuple({os.path.realpath(folder) + os.sep for folder in (_PACKAGE, _PACKAGE / "components")})
"""Not a user's file: `load` knows when these change."""


@lru_cache(maxsize=10_000)
def is_users(file: str | None) -> bool:
    if not file or file.startswith("<"):
        return False
    real = os.path.realpath(file)
    return not real.startswith((*_INSTALLED, *_OURS)) and os.path.exists(real)  # noqa: PTH110


def is_impure(file: str) -> bool:
    """Whether a Python file imports, at its top, what makes two compilations differ (inside components it may)."""
    if not file.endswith(".py"):
        return False
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return True
    names = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    return any(name.partition(".")[0] in _IMPURE for name in names)


@contextlib.contextmanager
def fresh_modules() -> Iterator[set[str]]:
    """The user's modules are imported as their files are now, and what was imported before is back afterwards.

    Gives a set that holds, in the end, the files of those that were imported.
    """
    files: set[str] = set()
    before = _users_modules()
    for name in before:
        del sys.modules[name]
    try:
        yield files
    finally:
        for name, module in _users_modules().items():
            files.add(str(module.__file__))
            del sys.modules[name]
        sys.modules.update(before)


def _users_modules() -> dict[str, ModuleType]:
    loaded = {name: module for name, module in list(sys.modules.items()) if name not in ("__main__", "__mp_main__")}
    return {name: module for name, module in loaded.items() if is_users(getattr(module, "__file__", None))}


class Watch:
    """Notes what the user's code reads while it is watched: files, environment variables, and what cannot be kept."""

    _LISTS = frozenset(
        {"os.listdir", "os.scandir", "glob.glob", "subprocess.Popen", "socket.connect", "socket.getaddrinfo"}
    )
    _active: ClassVar[Watch | None] = None
    _hooked: ClassVar[bool] = False

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.variables: dict[str, str | None] = {}
        self.repeatable = True
        self._callers: set[str] = set()
        """Whoever called tidegate: libraries read their source too, to say where a frame is."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            self._callers.add(os.path.realpath(frame.f_code.co_filename))
            frame = frame.f_back

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        if not Watch._hooked:  # a hook stays for the life of the process, so there is one, and it is quick when idle
            Watch._hooked = True
            sys.addaudithook(Watch._heard)
        variables = type(os.environ)
        plain = variables.__getitem__

        def noted(environ: Any, name: str) -> str:
            try:
                value = plain(environ, name)
            except KeyError:
                value = None
            if self._by_user(sys._getframe(1)):
                self.variables[name] = value
            if value is None:
                raise KeyError(name)
            return value

        Watch._active = self
        variables.__getitem__ = noted  # type: ignore[method-assign]
        try:
            yield
        finally:
            variables.__getitem__ = plain  # type: ignore[method-assign]
            Watch._active = None

    @staticmethod
    def _heard(event: str, values: tuple[Any, ...]) -> None:
        watch = Watch._active
        if watch is None:
            return
        if event == "open":
            path, _, flags = values
            if isinstance(path, str) and not flags & (os.O_WRONLY | os.O_RDWR) and watch._by_user(sys._getframe(1)):
                real = os.path.realpath(path)
                if os.path.isfile(real) and not real.startswith(_INSTALLED) and real not in watch._callers:  # noqa: PTH113
                    watch.files.add(real)
        elif event in Watch._LISTS and watch._by_user(sys._getframe(1)):
            watch.repeatable = False

    @staticmethod
    def _by_user(frame: FrameType | None) -> bool:
        """Whether the user's code asked, itself or through a library; not the import system on its behalf."""
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(("<frozen importlib", _HERE)):  # beyond our own code is whoever called us
                return False
            if is_users(file):
                return True
            frame = frame.f_back
        return False

"""Lightweight Python components: kfp's executor on a module that comes with the task, as text.

Most such modules only import and define at their top level, and then it does not matter who executes it: the zygote
does, once, and every child forked from then on finds the module there. What a task does to it stays in its process.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import hashlib
import importlib
import importlib.util
import inspect
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

NAME = "ephemeral_component"
_MOST, _LONGEST = 256, 1 << 18  # modules kept, and characters of one
_ANNOTATION_CALLS = frozenset({"NamedTuple", "InputPath", "OutputPath"})
_EXECUTOR = "kfp.dsl.executor_main"
_CONFIG = "kfp_config.ini"


def run(program: Mapping[str, Any], args: list[str], modules: Modules | None = None) -> None:
    """What KFP's bootstrap script does: the component's module in a folder, and kfp's executor on it."""
    if not program["source"]:
        _run_images_own(args)
        return
    main = importlib.import_module(_EXECUTOR)
    sys.path.insert(0, os.getcwd())
    if not logging.root.handlers:
        set_up_logging()
    os.environ["_KFP_RUNTIME"] = "true"
    module = modules.get(program["source"]) if modules else None
    path = (module.__file__ if module else None) or _written(program["source"], program["folder"])
    sys.argv = [main.__file__ or "", "--component_module_path", path, *args]
    match args:
        case ["--executor_input", task, "--function_to_execute", function]:
            # As executor_main does, without its parser, which takes as long as the rest.
            if module:
                sys.modules[NAME] = module
                sys.path.insert(0, os.path.dirname(path))
            else:
                module = _loaded(main.utils.load_module, os.path.dirname(path))
            execute(json.loads(task), getattr(module, function))
        case _:
            main.executor_main()


def execute(task: Mapping[str, Any], function: Callable[..., Any]) -> None:
    """kfp's executor on a function. `task`: KFP's ExecutorInput."""
    kfps = importlib.import_module(_EXECUTOR).component_executor.Executor
    executor = kfps(executor_input=task, function_to_execute=function)
    for name, found in task["inputs"].get("artifacts", {}).items():
        if found.get("artifacts") == []:  # kfp's takes an empty list, which an empty loop gives, for no input
            executor.input_artifacts.setdefault(name, [])
    executor.execute()


def _run_images_own(args: list[str]) -> None:
    """kfp's executor on a module that the image brings, which kfp finds by `kfp_config.ini` in the working folder."""
    project = os.environ.get("TIDEGATE_PROJECT", "")
    if not os.path.exists(_CONFIG) and project:
        if not os.path.exists(os.path.join(project, _CONFIG)):
            raise FileNotFoundError(
                f"no {_CONFIG} in {project}: the code of a containerised component is in its image, not in "
                "the pipeline; `kfp component build --no-build-image FOLDER` writes that file beside the code: copy it "
                "there"
            )
        os.chdir(project)
    sys.path.insert(0, os.getcwd())
    forget()
    os.environ.pop("_KFP_RUNTIME", None)  # such a module uses kfp's decorators
    main = importlib.import_module(_EXECUTOR)
    sys.argv = [main.__file__ or "", *args]
    main.executor_main()


def set_up_logging() -> None:
    """As kfp's executor does, but that a task's log is what the task says, not what the executor says of itself."""
    main = importlib.import_module(_EXECUTOR)
    main._setup_logging()
    for handler in logging.root.handlers:
        handler.addFilter(_NotOf(main.__file__ or ""))


def forget() -> None:
    """For a program of another kind: the zygote has kfp in its runtime form, without the compiler; it gets it whole."""
    for name in [name for name in sys.modules if name == "kfp" or name.startswith("kfp.")]:
        del sys.modules[name]
    ours = [handler for handler in logging.root.handlers if any(isinstance(each, _NotOf) for each in handler.filters)]
    for handler in ours:
        logging.root.removeHandler(handler)
        logging.root.setLevel(logging.WARNING)


class _NotOf(logging.Filter):
    """Lets pass what a file did not log itself."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file

    def filter(self, record: logging.LogRecord) -> bool:
        return record.pathname != self._file


class Modules:
    """Those that the zygote has executed, by their source."""

    def __init__(self, folder: str) -> None:
        """folder: where their sources lie, for tracebacks and `inspect`, and for processes that a task spawns; empty:
        none are kept.
        """
        self._folder = folder
        self._known: dict[str, ModuleType | None] = {}

    def get(self, source: str) -> ModuleType | None:
        return self._known.get(source)

    def wants(self, source: str | None) -> bool:
        """Whether this one has not been looked at."""
        return bool(self._folder and source) and source not in self._known

    def prepare(self, source: str) -> bool:
        """Execute the module, where that makes no difference to anybody; whether children can have it."""
        while len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[source] = None
        if len(source) <= _LONGEST and only_defines(source):
            with contextlib.suppress(Exception):  # each task then meets it by itself, and says so
                self._known[source] = self._made(source)
        return self._known[source] is not None

    def _made(self, source: str) -> ModuleType:
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        folder = os.path.join(self._folder, digest)
        path = _written(source, folder)
        spec = importlib.util.spec_from_file_location(NAME, path)
        assert spec
        module = importlib.util.module_from_spec(spec)
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        for value in list(vars(module).values()):
            if inspect.isfunction(value) and value.__module__ == NAME:
                value.__signature__ = inspect.signature(value)  # type: ignore[attr-defined]  # the executor asks
        gc.freeze()  # a child's collections are to leave it alone, as all that was there before
        os.chmod(path, 0o400)
        os.chmod(folder, 0o500)  # shared between tasks: none is to leave anything here
        return module


def only_defines(source: str) -> bool:
    """Whether a module's top level does nothing but import what is imported already and define functions. Pure, but
    for a look at `sys.modules`.
    """
    if "__file__" in source or "sys.path" in source or "sys.argv" in source:
        return False  # it may look for what lies beside it
    try:
        return all(map(_defines, ast.parse(source).body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _defines(node: ast.stmt) -> bool:
    match node:
        case ast.Import(names=names):
            return all(alias.name in sys.modules for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            return module in sys.modules
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.FunctionDef(decorator_list=[]) | ast.AsyncFunctionDef(decorator_list=[]):
            given = node.args
            defaults = [*given.defaults, *(each for each in given.kw_defaults if each)]
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            annotations = [each.annotation for each in every if each and each.annotation]
            annotations += [node.returns] if node.returns else []
            return all(map(_constant, defaults)) and all(map(_annotation, annotations))
    return False


def _constant(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _annotation(node: ast.expr) -> bool:
    """Whether looking at it can do nothing: names, and what typing and kfp make of them."""
    match node:
        case ast.Constant() | ast.Name():
            return True
        case ast.Attribute(value=value):
            return _annotation(value)
        case ast.Subscript(value=value, slice=inside):
            return _annotation(value) and _annotation(inside)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return all(map(_annotation, parts))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _annotation(left) and _annotation(right)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
            values = [*args, *(each.value for each in keywords)]
            return name in _ANNOTATION_CALLS and all(map(_annotation, values))
    return False


def _written(source: str, folder: str) -> str:
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{NAME}.py")
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(source)
    return path


def _loaded(load: Callable[..., ModuleType], folder: str) -> ModuleType:
    """The module, without a compiled copy beside it that nobody would read."""
    keeps, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return load(module_name=NAME, module_directory=folder)
    finally:
        sys.dont_write_bytecode = keeps

"""From what the user names to the compiled pipeline. A pipeline that did not change is not compiled again.

Compiling imports kfp and runs the user's file, which takes a second; the result is kept with the digests of every file
it was made from, and the environment variables that were read. Where all are the same, the kept one is used.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate import __version__
from tidegate.local.reference import PipelineError, Reference, parse


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A compiled pipeline."""

    spec: str
    """The IR, as YAML or JSON."""
    source: Path | None
    """The file that defines it; None where that is unknown (a notebook's cell)."""
    where: str
    """How the user named it, for messages."""


def load_pipeline(given: Any, *, cache: Path | None = None, here: Path | None = None) -> Pipeline:
    """The pipeline that `given` names, or is (a function with kfp's `@dsl.pipeline`).

    `cache`: the folder for compiled pipelines (`<store>/compiled`); None: always compile. Paths count from `here`,
    by default the working folder.
    Raises: PipelineError.
    """
    if not isinstance(given, str | os.PathLike):
        return _of_function(given)
    reference = parse(os.fspath(given), here or Path.cwd())
    if reference.compiled:
        assert reference.file is not None
        return Pipeline(_text(reference.file, reference.where), reference.file, reference.where)
    kept = cache / f"{_name(reference)}.json" if cache else None
    found = _kept(kept) if kept else None
    if found is None:
        from tidegate.local.compiling import compile_reference

        compiled = compile_reference(reference)
        found = compiled.spec, compiled.source
        if kept and compiled.repeatable:
            _keep(kept, compiled.spec, compiled.source, compiled.files, compiled.variables)
    spec, source = found
    return Pipeline(spec, source, f"{reference.where}:{reference.function}" if reference.function else reference.where)


def _of_function(given: Any) -> Pipeline:
    from tidegate.local.compiling import compile_pipeline

    if not hasattr(given, "pipeline_spec"):
        kind = "a plain function" if callable(given) else f"a {type(given).__name__}"
        raise PipelineError(f"{kind} is no pipeline: give a path, or a function with kfp's @dsl.pipeline above it")
    function = getattr(given, "pipeline_func", None) or getattr(given, "python_func", None)
    try:
        source = Path(inspect.getfile(function)) if function else None
    except TypeError:
        source = None
    return Pipeline(compile_pipeline(given), source if source and source.is_file() else None, given.name)


def _text(file: Path, where: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PipelineError(f"{where} is not UTF-8 text (byte {error.start}): expected a compiled pipeline") from error
    except OSError as error:
        raise PipelineError(f"{where} cannot be read: {error.strerror}") from error


def _name(reference: Reference) -> str:
    said = f"{reference.file or reference.module}:{reference.function}:{reference.folder}"
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def _toolchain() -> str:
    """Stands for kfp and all else installed: a package that comes, goes or changes touches the folder.

    In a checkout our own code changes without that; what components say is part of what a pipeline compiles to.
    """
    installed, package = sysconfig.get_path("purelib"), Path(__file__).parents[1]
    ours = (*sorted(package.glob("components/*.py")), *sorted(package.glob("components/*/component.py")))
    stamps = [file.stat().st_mtime_ns for file in (Path(installed), package / "local/compiling.py", *ours)]
    return f"{__version__} {sys.version} {installed} {stamps}"


def _kept(path: Path) -> tuple[str, Path] | None:
    """The compiled pipeline at `path`, if all it was made from is the same."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        same = (
            kept["toolchain"] == _toolchain()
            and all(os.environ.get(name) == value for name, value in kept["variables"].items())
            and all(_digest(name) == digest for name, digest in kept["files"].items())
        )
        return (str(kept["spec"]), Path(kept["source"])) if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _keep(path: Path, spec: str, source: Path, files: set[str], variables: Mapping[str, str | None]) -> None:
    try:
        kept = {
            "toolchain": _toolchain(),
            "source": str(source),
            "files": {file: _digest(file) for file in sorted(files)},
            "variables": dict(variables),
            "spec": spec,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}.new")
        new.write_text(json.dumps(kept), encoding="utf-8")
        new.replace(path)
    except OSError:  # only saves time
        return


def _digest(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()

"""What a user may write to name a pipeline."""

from __future__ import annotations

import importlib.machinery
from dataclasses import dataclass
from pathlib import Path

COMPILED = (".yaml", ".yml", ".json")


class PipelineError(Exception):
    """The pipeline cannot be had: where, what was expected, what was found; the user's own traceback if any."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`pipelines/flights`, `pipeline.py`, `pipeline.py:function`, `package.module:function`, `pipeline.yaml`."""

    where: str
    """As given, without the function."""
    function: str
    """Empty: the only pipeline there."""
    file: Path | None
    """The Python or compiled file; None for a module."""
    module: str
    folder: Path
    """What imports start from."""

    @property
    def compiled(self) -> bool:
        return self.file is not None and self.file.suffix.lower() in COMPILED


def parse(text: str, here: Path) -> Reference:
    """Read a reference; paths count from `here`. Raises: PipelineError that says what may be given."""
    where, function = text, ""
    head, colon, tail = text.rpartition(":")
    if colon and tail.isidentifier() and not (here / text).exists():
        where, function = head, tail
    path = here / Path(where).expanduser()
    if path.is_dir():
        if not (path / "pipeline.py").is_file():
            raise PipelineError(f"the folder {where} has no pipeline.py: name the file")
        path, where = path / "pipeline.py", f"{where.rstrip('/')}/pipeline.py"
    if path.is_file():
        known = (*COMPILED, *importlib.machinery.SOURCE_SUFFIXES)
        if path.suffix.lower() not in known:
            raise PipelineError(
                f"{where} is no pipeline: expected a Python file, or a compiled one ({', '.join(COMPILED)})"
            )
        return Reference(where, function, path.resolve(), "", path.resolve().parent)
    if (
        all(part.isidentifier() for part in where.split("."))
        and (function or "." in where)
        and not where.endswith(".py")
    ):
        return Reference(where, function, None, where, here)
    raise PipelineError(
        f"no pipeline {text!r}: expected a Python file (`pipeline.py`, `pipeline.py:function`), a module "
        "(`package.module:function`) or a compiled pipeline (`pipeline.yaml`); there is no such file"
    )

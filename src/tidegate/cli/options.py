"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli import completing
from tidegate.cli.output import Format

Store = Annotated[
    Path | None,
    typer.Option(
        "--store", metavar="FOLDER", help="The store [default: $TIDEGATE_STORE, else .tidegate in the project]."
    ),
]
Output = Annotated[Format, typer.Option("--output", "-o", metavar="FORMAT", help="table, wide, json or yaml.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; only the result, or the error.")]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="An id or a unique part of one, `latest`, `latest:PIPELINE`, `latest~1` (the one before).",
        autocompletion=completing.runs,
    ),
]
Pipeline = Annotated[
    str,
    typer.Argument(
        metavar="PIPELINE",
        help="`file.py`, `file.py:function`, `module:function`, or a compiled YAML or JSON file.",
    ),
]

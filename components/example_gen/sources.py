"""Where rows come from: CSV, Parquet, TFRecord files, or the user's own function; always Arrow tables in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tidegate.components.errors import ComponentError
from tidegate.components.example_gen import csv_files
from tidegate.components.example_gen.rows import BadRows
from tidegate.components.modules import function_of, load_module
from tidegate.components.progress import report
from tidegate.components.tfrecord import read_examples

FORMATS = ("auto", "csv", "parquet", "tfrecord")


def format_of(path: Path, asked: str) -> str:
    """csv, parquet or tfrecord. Raises: ComponentError where the name does not tell."""
    if asked not in FORMATS:
        raise ComponentError(f"format is {asked!r}; expected one of {', '.join(FORMATS)}")
    if asked != "auto":
        return asked
    name = path.name.lower()
    if "tfrecord" in name or name.removesuffix(".gz").endswith(".tfr"):
        return "tfrecord"
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    if name.removesuffix(".gz").removesuffix(".zip").endswith((".csv", ".tsv")) or name.endswith(".zip"):
        return "csv"
    raise ComponentError(f"{path}: the name does not tell the format; say format='csv', 'parquet' or 'tfrecord'")


def read_files(
    files: Sequence[Path], asked: str, options: Mapping[str, Any], bad: BadRows
) -> Iterator[tuple[str, pa.Table]]:
    """(name, table) for each file that has rows.

    Raises: ComponentError for what cannot be read, and for an option that does not exist.
    """
    unknown = sorted(set(options) - set(csv_files.OPTIONS))
    if unknown:
        raise ComponentError(f"options: unknown option {unknown[0]!r}; there are: {', '.join(csv_files.OPTIONS)}")
    for done, file in enumerate(files, start=1):
        report(f"reading {file.name}", done - 1, len(files))
        kind = format_of(file, asked)
        if file.stat().st_size == 0:
            raise ComponentError(f"{file} is empty")
        if kind == "csv":
            tab = {"delimiter": "\t"} if ".tsv" in file.name else {}
            yield from csv_files.read_csv_files(file, {**tab, **options}, bad)
            continue
        if set(options) - {"columns"}:
            raise ComponentError(
                f"options: {sorted(set(options) - {'columns'})[0]!r} is for CSV; {file.name} is {kind}"
            )
        table = _parquet(file) if kind == "parquet" else _tfrecord(file)
        wanted = list(options.get("columns", ()))
        unknown = sorted(set(wanted) - set(table.column_names))
        if unknown:
            raise ComponentError(f"{file} has no column {unknown[0]!r}; its columns: {', '.join(table.column_names)}")
        if table.num_rows:
            yield str(file), table.select(wanted) if wanted else table


def _parquet(file: Path) -> pa.Table:
    try:
        return pq.ParquetFile(file).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise ComponentError(f"{file} cannot be read as Parquet: {error}") from None


def _tfrecord(file: Path) -> pa.Table:
    from tidegate.components.example_gen.types import unify

    batches = [
        (f"{file} (batch {n})", pa.Table.from_batches([b])) for n, b in enumerate(read_examples([file]), start=1)
    ]
    return pa.concat_tables(unify(batches, missing_allowed=True, quiet=True)) if batches else pa.table({})


def read_with_module(
    sources: Mapping[str, str], input_base: str, span: int, options: Mapping[str, Any]
) -> Iterator[tuple[str, pa.Table]]:
    """What the user's `read_examples(input_base, span, **options)` yields.

    Raises: ComponentError where it yields no Arrow table or batch; its own exceptions pass through.
    """
    function = function_of(load_module(sources), "read_examples")
    name = f"{next(iter(sources))}: read_examples"
    made = function(input_base, span, **options)
    for number, one in enumerate([made] if isinstance(made, pa.Table | pa.RecordBatch) else made, start=1):
        if not isinstance(one, pa.Table | pa.RecordBatch):
            raise ComponentError(
                f"{name} gave a {type(one).__name__}; expected pyarrow Tables or RecordBatches "
                "(pyarrow.Table.from_pandas(frame) makes one of a DataFrame)"
            )
        table = one if isinstance(one, pa.Table) else pa.Table.from_batches([one])
        doubled = sorted({c for c in table.column_names if table.column_names.count(c) > 1})
        if doubled:
            raise ComponentError(f"{name} gave two columns named {doubled[0]!r}")
        report(f"read_examples: table {number}, {table.num_rows} rows")
        if table.num_rows:
            yield f"{name} (table {number})", table

"""CSV files, plain or in .gz or .zip, as Arrow tables; what is wrong in them is told with file and line."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from tidegate.components.errors import ComponentError
from tidegate.components.example_gen.rows import SHOWN, BadRows
from tidegate.components.example_gen.types import settle_types

OPTIONS = {  # what `options` may hold, and what it is by default
    "types": {},  # column -> int, float or string
    "null_values": ["", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null"],
    "delimiter": ",",
    "encoding": "utf-8",
    "columns": [],  # only these
}
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt")


def read_csv_files(path: Path, options: Mapping[str, Any], bad: BadRows) -> Iterator[tuple[str, pa.Table]]:
    """(name, table) of the file, or of each file in a .zip; nothing for a file with a header only.

    Raises: ComponentError for an empty file, a wrong encoding, a header that cannot be used, and for more bad rows
    than `bad` allows: those with too few or too many fields, or text in a column of numbers.
    """
    settings = {**OPTIONS, **options}
    for name, content in _contents(path):
        text = _decoded(name, content, settings["encoding"])
        header = _header(name, text, settings)
        table = _parse(name, text, header, settings, bad)
        if table.num_rows:
            yield name, table
        else:
            print(f"{name}: a header and no rows")


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [
                    n for n in sorted(archive.namelist()) if n.lower().endswith(_TEXT_SUFFIXES) and "__MACOSX" not in n
                ]
                if not names:
                    raise ComponentError(
                        f"{path} has no CSV file in it; it has: {', '.join(archive.namelist()) or 'nothing'}"
                    )
                for name in names:
                    yield f"{path}/{name}", archive.read(name)
        elif path.suffix == ".gz":
            yield str(path), gzip.decompress(path.read_bytes())
        else:
            yield str(path), path.read_bytes()
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ComponentError(f"{path} is no whole {path.suffix} file: {error}") from None


def _decoded(name: str, content: bytes, encoding: str) -> bytes:
    """The content as UTF-8."""
    if not content.strip():
        raise ComponentError(f"{name} is empty; expected a header line and rows")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) and encoding == "utf-8":
        raise ComponentError(f"{name} is UTF-16; expected utf-8: options={{'encoding': 'utf-16'}} reads it")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ComponentError(
            f"{name} line {line}: byte 0x{content[error.start]:02x} is not {encoding}; save it as UTF-8, or say "
            "what it is, as in options={'encoding': 'latin-1'}"
        ) from None
    except LookupError:
        raise ComponentError(
            f"options: unknown encoding {encoding!r}; expected one such as utf-8, latin-1, cp1252"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ComponentError(f"{name} line {line}: a NUL character; this is no {encoding} text file")
    return content.removeprefix(b"\xef\xbb\xbf") if encoding == "utf-8" else text.encode()


def _header(name: str, content: bytes, settings: Mapping[str, Any]) -> list[str]:
    header = next(
        csv.reader(io.StringIO(content[:1_000_000].decode("utf-8", "ignore")), delimiter=settings["delimiter"])
    )
    for at, column in enumerate(header, start=1):
        if not column.strip():
            raise ComponentError(f"{name} line 1: column {at} has no name; the first line must name every column")
        if column in header[: at - 1]:
            raise ComponentError(f"{name} line 1: two columns are named {column!r}")
    unknown = sorted({*settings["columns"], *settings["types"]} - set(header))
    if unknown:
        raise ComponentError(f"{name} has no column {unknown[0]!r}; its columns: {', '.join(header)}")
    return header


def _parse(name: str, content: bytes, header: list[str], settings: Mapping[str, Any], bad: BadRows) -> pa.Table:
    ragged: list[Any] = []

    def skip(row: Any) -> str:
        ragged.append(row)
        return "skip"

    types = settings["types"]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(content),
            read_options=arrow_csv.ReadOptions(block_size=1 << 23),
            parse_options=arrow_csv.ParseOptions(
                delimiter=settings["delimiter"], newlines_in_values=b'"' in content, invalid_row_handler=skip
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={column: pa.string() for column, kind in types.items() if kind == "string"},
                include_columns=settings["columns"] or None,
                null_values=settings["null_values"],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise ComponentError(f"{name} cannot be read as CSV: {error}") from None
    scan = _Lines(content, settings["delimiter"], len(header))
    if ragged:
        bad.add([f"{name} {said}" for said in scan.ragged()], len(ragged))
    table, wrong = settle_types(table, types)
    keep = np.ones(table.num_rows, bool)
    for column, (mask, expected) in wrong.items():
        keep &= ~mask
        bad.add([f"{name} {said}" for said in scan.values(column, np.flatnonzero(mask), expected)], int(mask.sum()))
    return table if keep.all() else table.filter(pa.array(keep))


class _Lines:
    """Finds the lines of rows by reading the text once more; asked only when something is wrong."""

    def __init__(self, content: bytes, delimiter: str, width: int) -> None:
        self._content, self._delimiter, self._width = content, delimiter, width

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line, fields) of every row after the header; blank lines are no rows."""
        reader = csv.reader(io.TextIOWrapper(io.BytesIO(self._content), "utf-8", newline=""), delimiter=self._delimiter)
        next(reader)
        line = reader.line_num + 1
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1

    def ragged(self) -> list[str]:
        """The first rows with too few or too many fields."""
        found = (
            f"line {line}: {len(fields)} fields where the header has {self._width}"
            for line, fields in self._rows()
            if len(fields) != self._width
        )
        return list(islice(found, SHOWN))

    def values(self, column: str, rows: NDArray[np.int64], expected: str) -> list[str]:
        """The first of these rows (numbered as parsed: ragged ones do not count) and what their column holds."""
        header = next(
            csv.reader(io.StringIO(self._content[:1_000_000].decode("utf-8", "ignore")), delimiter=self._delimiter)
        )
        at, wanted, found = header.index(column), set(rows[:SHOWN].tolist()), []
        whole = (row for row in self._rows() if len(row[1]) == self._width)
        for number, (line, fields) in enumerate(whole):
            if number in wanted:
                found.append(f"line {line}: column {column!r} has {fields[at][:40]!r}, expected {expected}")
                if len(found) == len(wanted):
                    break
        return found

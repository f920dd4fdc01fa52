"""What example_gen does: rows of the newest spans, into splits of tf.Examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tidegate.components.errors import ComponentError
from tidegate.components.example_gen.rows import BadRows
from tidegate.components.example_gen.sources import read_files, read_with_module
from tidegate.components.example_gen.splits import NONE, Splits, column_of, within
from tidegate.components.example_gen.types import unify
from tidegate.components.progress import report
from tidegate.components.resolver.span import Span, find_spans, resolve
from tidegate.components.tfrecord import ExampleWriter, encode_examples, split_folder
from tidegate.components.tfrecord.layout import BATCH_ROWS, STEM

SPAN = "span"
"""The name under which `range_filter` means the spans themselves."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What was written. `span`, `version`: of the newest; -1 where the input has none."""

    rows: Mapping[str, int]
    span: int
    version: int
    spans: tuple[int, ...]
    features: int
    bad_rows: int
    left_out: int
    """Rows outside the range filter or of no split."""


def generate(
    examples: str | Path,
    input_base: str = "",
    pattern: str = "*",
    format: str = "auto",
    span: int = -1,
    window: int = 1,
    version: int = -1,
    splits: Mapping[str, Any] | None = None,
    split_by: str = "hash",
    range_filter: Mapping[str, Any] | None = None,
    max_bad_rows: int = 0,
    keep_parquet: bool = False,
    module: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Generated:
    """Write the Examples artifact `examples`: `Split-<name>/data_tfrecord-*.gz`, a file for each span of the window.

    See README.md for the parameters. The spans' rows are in memory as Arrow while they are written.
    Raises: ComponentError for input that cannot be read, more bad rows than allowed, and a split that gets no rows.
    """
    into = Splits(splits or {"train": 2, "eval": 1}, split_by)
    ranges = _ranges(range_filter or {})
    bad = BadRows(max_bad_rows)
    read = list(_read(input_base, pattern, format, span, window, version, module, options or {}, ranges, bad))
    whole, numbers = _joined(read, input_base)
    keep = _in_range(whole, ranges)
    if not keep.all():
        whole, numbers = whole.filter(pa.array(keep)), numbers[keep]
    if not whole.num_rows:
        raise ComponentError(f"no row is left: range_filter={dict(range_filter or {})} leaves out all {len(keep)} rows")
    chosen = None if into.by_content else into.of_columns(whole, numbers)
    rows = _write(Path(examples), whole, numbers, chosen, into, keep_parquet)
    done = Generated(
        rows=rows,
        span=read[-1][0].number,
        version=read[-1][0].version,
        spans=tuple(one.number for one, _ in read if one.number >= 0),
        features=whole.num_columns,
        bad_rows=bad.count,
        left_out=len(keep) - sum(rows.values()),
    )
    for line in bad.shown:
        print(f"left out: {line}")
    print(
        f"{sum(rows.values())} rows, {done.features} features: {', '.join(f'{n} {c}' for n, c in rows.items())}; "
        f"{done.left_out} rows in no split or out of range, {done.bad_rows} bad rows"
    )
    return done


def _ranges(asked: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    for column, bounds in asked.items():
        if not isinstance(bounds, list | tuple) or len(bounds) != 2 or bounds[0] is bounds[1] is None:
            raise ComponentError(f"range_filter: {column!r} has {bounds!r}; expected [from, to], either may be null")
    return {column: (bounds[0], bounds[1]) for column, bounds in asked.items()}


def _read(
    input_base: str,
    pattern: str,
    asked: str,
    span: int,
    window: int,
    version: int,
    module: Mapping[str, str] | None,
    options: Mapping[str, Any],
    ranges: Mapping[str, tuple[Any, Any]],
    bad: BadRows,
) -> Iterator[tuple[Span, pa.Table]]:
    """Each span of the window with its rows, oldest first."""
    if module:
        for number in range(max(0, span - window + 1), span + 1) if span >= 0 else [-1]:
            yield _one_span(Span(number, -1, ()), read_with_module(module, input_base, number, options))
        return
    found = find_spans(input_base, pattern)
    between = None
    if SPAN in ranges and found[-1].number >= 0:
        low, high = ranges[SPAN]
        between = (0 if low is None else int(low), found[-1].number + 1 if high is None else int(high))
    for one in resolve(found, span, version, window, between):
        yield _one_span(one, read_files(one.files, asked, options, bad))


def _one_span(span: Span, tables: Iterator[tuple[str, pa.Table]]) -> tuple[Span, pa.Table]:
    found = list(tables)
    if not found:
        where = f"span {span.number}" if span.number >= 0 else "the input"
        raise ComponentError(f"{where} has no rows{': ' if span.files else ''}{', '.join(map(str, span.files[:10]))}")
    return span, pa.concat_tables(unify(found))


def _joined(read: list[tuple[Span, pa.Table]], input_base: str) -> tuple[pa.Table, NDArray[np.int64]]:
    """(all rows, the number of the span that each is of)."""
    tables = [(f"span {span.number}" if span.number >= 0 else input_base, table) for span, table in read]
    numbers = np.repeat([span.number for span, _ in read], [table.num_rows for _, table in read])
    return pa.concat_tables(unify(tables, missing_allowed=True)), numbers


def _in_range(table: pa.Table, ranges: Mapping[str, tuple[Any, Any]]) -> NDArray[np.bool_]:
    keep = np.ones(table.num_rows, bool)
    for column, (low, high) in ranges.items():
        if column != SPAN or SPAN in table.column_names:
            keep &= within(column_of(table, column, "range_filter"), low, high, f"range_filter: {column}")
    return keep


def _write(
    examples: Path,
    table: pa.Table,
    numbers: NDArray[np.int64],
    chosen: NDArray[np.int64] | None,
    into: Splits,
    keep_parquet: bool,
) -> dict[str, int]:
    """Write all rows; returns how many each split got. Raises: ComponentError for a split without rows."""
    rows: Counter[str] = Counter()
    for number in np.unique(numbers).tolist():
        first, last = np.searchsorted(numbers, [number, number + 1]).tolist()
        mark = f"-span-{number:05d}" if number >= 0 else ""
        part = table.slice(first, last - first)
        parquet = examples / "parquet" if keep_parquet else None
        picked = None if chosen is None else chosen[first:last]
        rows += _write_span(examples, part, picked, into, mark, parquet, done=first, total=table.num_rows)
    empty = [name for name in into.names if not rows[name]]
    if empty:
        raise ComponentError(
            f"split {empty[0]!r} gets no rows (of {table.num_rows}); the others: "
            f"{', '.join(f'{n} {rows[n]}' for n in into.names if n != empty[0])}. "
            "Look at splits and split_by, or give more rows"
        )
    return {name: rows[name] for name in into.names}


def _write_span(
    examples: Path,
    table: pa.Table,
    chosen: NDArray[np.int64] | None,
    into: Splits,
    mark: str,
    parquet: Path | None,
    done: int,
    total: int,
) -> Counter[str]:
    """One file for each split that has rows of this span."""
    picked: list[NDArray[np.int64]] = []
    with ExitStack() as stack:
        writers: dict[int, ExampleWriter] = {}
        for at in range(0, table.num_rows, BATCH_ROWS):
            batch = table.slice(at, BATCH_ROWS).combine_chunks().to_batches()[0]
            serialised = encode_examples(batch)
            here = into.of_bytes(serialised.to_pylist()) if chosen is None else chosen[at : at + BATCH_ROWS]
            picked.append(here)
            for number in np.unique(here[here != NONE]).tolist():
                if number not in writers:
                    folder = split_folder(examples, into.names[number])
                    writers[number] = stack.enter_context(ExampleWriter(folder, STEM + mark))
                writers[number].write_serialized(serialised.filter(pa.array(here == number)))
            report(f"writing, {done + at + len(here)} of {total} rows", done + at + len(here), total)
    if parquet is not None:
        parquet.mkdir(parents=True, exist_ok=True)
        everything = np.concatenate(picked)
        for number in writers:
            part = table.filter(pa.array(everything == number))
            pq.write_table(part, parquet / f"{into.names[number]}{mark}.parquet", compression="zstd")
    return Counter({into.names[number]: writer.rows for number, writer in writers.items()})

"""What type a column has: within one file, and over all files that are read together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidegate.components.errors import ComponentError

TYPES = ("int", "float", "string")
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_WHOLE = r"^\s*[+-]?\d+\s*$"
_HEAD = 100  # so many first values decide what a column of text is meant to hold

Wrong = tuple[NDArray[np.bool_], str]
"""(rows whose value has the wrong type, what was expected of it)."""


def settle_types(table: pa.Table, declared: Mapping[str, str]) -> tuple[pa.Table, dict[str, Wrong]]:
    """The table with each column of its type, and for columns that hold something else as well, where.

    A column is what `declared` says, else what was inferred; but one of text whose first values are all numbers is a
    column of numbers in which something else turns up later. Wrong values are null in the table returned.
    Raises: ComponentError for a declared type that is none of `TYPES`.
    """
    wrong: dict[str, Wrong] = {}
    for at, name in enumerate(table.column_names):
        column, kind = table.column(at), declared.get(name)
        if kind is not None and kind not in TYPES:
            raise ComponentError(f"options: type {kind!r} of column {name!r}; expected one of {', '.join(TYPES)}")
        if kind is None and pa.types.is_string(column.type) and _begins_with_numbers(column):
            why = f"a number as in the rows before (if it is text: {_as_text(name)})"
            settled, mask = _numbers(column, None)
        elif kind in ("int", "float"):
            why = "a whole number" if kind == "int" else "a number"
            settled, mask = _numbers(column, kind)
        else:
            continue
        table = table.set_column(at, name, settled)
        if mask.any():
            wrong[name] = mask, why
    return table, wrong


def _begins_with_numbers(column: pa.ChunkedArray) -> bool:
    head = pc.drop_null(column.slice(0, 20 * _HEAD))[:_HEAD]
    return len(head) > 0 and bool(pc.all(pc.match_substring_regex(head, _NUMBER)).as_py())


def _numbers(column: pa.ChunkedArray, kind: str | None) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """(the column as numbers, which rows are none); without `kind` they are integers if all of them are."""
    target = pa.int64() if kind == "int" else pa.float64()
    if pa.types.is_string(column.type):
        fits = pc.fill_null(pc.match_substring_regex(column, _WHOLE if kind == "int" else _NUMBER), True)
        text = pc.utf8_trim_whitespace(pc.if_else(fits, column, pa.scalar(None, pa.string())))
        if kind is None and pc.all(pc.match_substring_regex(text, _WHOLE)).as_py():
            target = pa.int64()
        text = pc.replace_substring_regex(text, r"^\+", "")
        return text.cast(target), ~fits.to_numpy()
    if pa.types.is_floating(column.type) and kind == "int":
        fits = pc.fill_null(pc.equal(column, pc.trunc(column)), True)
        return pc.if_else(fits, column, pa.scalar(None, column.type)).cast(target), ~fits.to_numpy()
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_null(column.type):
        return column.cast(target), np.zeros(len(column), bool)
    return pa.chunked_array([pa.nulls(len(column), target)]), column.is_valid().to_numpy()


def unify(tables: Sequence[tuple[str, pa.Table]], missing_allowed: bool = False, quiet: bool = False) -> list[pa.Table]:
    """The tables with equal columns of equal types, in the first one's order.

    Integers become floats where another file has floats; a column that is empty in a file takes the others' type.
    Raises: ComponentError for a column of types that do not go together, naming both files, and for one that a file
    lacks, unless `missing_allowed` (its features are then absent).
    """
    types: dict[str, tuple[str, pa.DataType]] = {}
    for source, table in tables:
        for field in table.schema:
            _, known = types.get(field.name, (source, field.type))
            together = _together(known, field.type)
            if together is None:
                first = types[field.name][0]
                raise ComponentError(
                    f"column {field.name!r} is {known} in {first} and {field.type} in {source}; give it one type "
                    f"in all files, or (CSV) say which: {_as_text(field.name)}"
                )
            types[field.name] = (source if together != known else types.get(field.name, (source, None))[0], together)
    found = []
    for source, table in tables:
        lacking = [name for name in types if name not in table.column_names]
        if lacking and not missing_allowed:
            raise ComponentError(
                f"{source} has no column {lacking[0]!r}, which {types[lacking[0]][0]} has; its columns: "
                + ", ".join(table.column_names)
            )
        if lacking and not quiet:
            print(f"{source} has no column {', '.join(lacking)}: missing in all of its rows")
        columns: list[Any] = [
            table.column(name).cast(kind) if name in table.column_names else pa.nulls(table.num_rows, kind)
            for name, (_, kind) in types.items()
        ]
        found.append(pa.table(columns, names=list(types)))
    return found


def _as_text(column: str) -> str:
    return f"options={{'types': {{{column!r}: 'string'}}}}"


def _together(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type that holds both; None if there is none."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if _is_list(one) and _is_list(other):
        inner = _together(one.value_type, other.value_type)
        return None if inner is None else pa.large_list(inner)
    if _is_number(one) and _is_number(other):
        whole = not (pa.types.is_floating(one) or pa.types.is_floating(other))
        return pa.int64() if whole else pa.float64()
    if _is_text(one) and _is_text(other):
        return pa.large_string()
    if pa.types.is_date(one) and pa.types.is_date(other):
        return pa.date32()
    if pa.types.is_timestamp(one) and pa.types.is_timestamp(other) and one.tz == other.tz:
        return pa.timestamp("ns", one.tz)
    return None


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)

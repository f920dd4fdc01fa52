"""Columns of text that fit the terminal: kubectl's look, the widest flexible column gives way first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.cli.terminal import Terminal, cells, fit, fit_end, printable

_GAP = 2
_LEAST = 6  # a flexible column keeps that many characters


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    right: bool = False
    flexible: bool = False
    """May be cut where the terminal is narrow."""
    path: bool = False
    """Where it is cut, its end is kept."""
    wide: bool = False
    """Shown by `--output wide` only."""
    optional: bool = False
    """Left out where all its cells are empty."""


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str | Cell]], to: Terminal, wide: bool = False
) -> list[str]:
    """The lines of a table: header, then rows; nothing is cut with `wide`, or where `to` is no terminal."""
    grid = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    kept = [
        index
        for index, column in enumerate(columns)
        if (wide or not column.wide) and not (column.optional and not any(row[index].text for row in grid))
    ]
    heads = [columns[index] for index in kept]
    body = [[Cell(printable(row[index].text).replace("\n", " "), row[index].style) for index in kept] for row in grid]
    widths = [max(cells(head.title), *(cells(row[i].text) for row in body), 0) for i, head in enumerate(heads)]
    if to.width and not wide:
        widths = _narrowed(heads, widths, to.width)
    lines = [_line(heads, [Cell(head.title, "dim") for head in heads], widths, to)]
    lines += [_line(heads, row, widths, to) for row in body]
    return lines


def _narrowed(columns: Sequence[Column], widths: list[int], room: int) -> list[int]:
    widths = list(widths)
    excess = sum(widths) + _GAP * (len(widths) - 1) - room
    while excess > 0:
        candidates = [i for i, column in enumerate(columns) if column.flexible and widths[i] > _LEAST]
        if not candidates:
            break
        widest = max(candidates, key=lambda i: widths[i])
        widths[widest] -= 1
        excess -= 1
    return widths


def _line(columns: Sequence[Column], row: Sequence[Cell], widths: Sequence[int], to: Terminal) -> str:
    parts: list[str] = []
    for column, cell, width in zip(columns, row, widths, strict=True):
        text = fit_end(cell.text, width) if column.path else fit(cell.text, width)
        pad = " " * (width - cells(text))
        painted = to.paint(text, cell.style)
        parts.append(pad + painted if column.right else painted + pad)
    return (" " * _GAP).join(parts).rstrip()


def facts(pairs: Sequence[tuple[str, str]], to: Terminal, indent: str = "") -> list[str]:
    """`name  value` lines, names aligned; empty values are left out, further lines of a value are indented."""
    known = [(name, value) for name, value in pairs if value]
    width = max((cells(name) for name, _ in known), default=0)
    lines: list[str] = []
    for name, value in known:
        first, *rest = printable(value).split("\n")
        lines.append(f"{indent}{to.paint(name, 'dim')}{' ' * (width - cells(name) + _GAP)}{first}")
        lines += [f"{indent}{' ' * (width + _GAP)}{line}" for line in rest]
    return lines

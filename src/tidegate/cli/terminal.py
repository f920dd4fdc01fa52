"""Where text goes: its width, whether it may be coloured, whether a person watches."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36}

STATES = {  # state: mark, style
    "pending": ("·", "dim"),
    "running": ("▶", "blue"),
    "waiting": ("↻", "yellow"),
    "succeeded": ("✓", "green"),
    "cached": ("≡", "cyan"),
    "failed": ("✗", "red"),
    "skipped": ("○", "dim"),
    "cancelled": ("■", "yellow"),
    "interrupted": ("‖", "yellow"),
}


@dataclass(frozen=True, slots=True)
class Terminal:
    file: TextIO
    interactive: bool
    colour: bool
    width: int
    """Columns; 0 where lines are not to be cut (a file, a pipe)."""

    def paint(self, text: str, style: str) -> str:
        """`text` in a style of `_CODES` (several, separated by spaces), where colours are wanted."""
        if not self.colour or not style or not text:
            return text
        codes = ";".join(str(_CODES[name]) for name in style.split())
        return f"\033[{codes}m{text}\033[0m"

    def state(self, state: str) -> str:
        mark, style = STATES.get(state, ("?", ""))
        return self.paint(f"{mark} {state}", style)

    def print(self, text: str = "") -> None:
        self.file.write(text + "\n")

    def wrapped(self, text: str, indent: int = 4) -> list[str]:
        """`text` in lines that fit, further ones indented; prose only: columns of colour codes would be counted."""
        if not self.width or cells(text) <= self.width:
            return [text]
        from textwrap import wrap

        further = " " * indent
        return wrap(text, self.width, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.print(line)


def stdout() -> Terminal:
    return _terminal(sys.stdout)


def stderr() -> Terminal:
    return _terminal(sys.stderr)


def _terminal(file: TextIO) -> Terminal:
    interactive = file.isatty() and os.environ.get("TERM") != "dumb"
    colour = not os.environ.get("NO_COLOR") and (interactive or bool(os.environ.get("FORCE_COLOR")))
    width = shutil.get_terminal_size((80, 24)).columns if file.isatty() or os.environ.get("COLUMNS") else 0
    return Terminal(file, interactive, colour, width)


def cells(text: str) -> int:
    """Columns that `text` takes."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def fit(text: str, width: int) -> str:
    """`text` cut to `width` columns, with an ellipsis where something is missing."""
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[:-1]
    return text + "…" if width > 0 else ""


def fit_end(text: str, width: int) -> str:
    """The end of `text`, in `width` columns."""
    return fit(text[::-1], width)[::-1]


def printable(text: str) -> str:
    """Without control characters: names and messages come from pipelines, and must not steer the terminal."""
    return "".join(c if c.isprintable() else {"\t": "    ", "\n": "\n"}.get(c, "�") for c in text)

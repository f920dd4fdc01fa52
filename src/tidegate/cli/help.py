"""`--help`: plain text that teaches, with examples first among the details, and no heavy import to print it."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from tidegate.cli.terminal import stdout


class Command(TyperCommand):
    """A command whose epilog holds its examples, printed as they stand."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        heading = _headings(formatter)
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(self.help or "")
        _examples(self.epilog, formatter, heading)
        self.format_options(ctx, formatter)


class Group(TyperGroup):
    """A group of few commands, listed with their one-line helps."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        heading = _headings(formatter)
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(self.help or "")
        _examples(self.epilog, formatter, heading)
        self.format_options(ctx, formatter)


def _headings(formatter: Any) -> Any:
    """Make the section headings of `formatter` bold where colours are wanted."""
    to = stdout()

    def heading(title: str) -> None:
        formatter.write(f"{to.paint(title, 'bold')}\n")

    formatter.write_heading = heading
    return heading


def _examples(text: str | None, formatter: Any, heading: Any) -> None:
    if text:
        formatter.write_paragraph()
        heading("Examples")
        formatter.write("".join(f"  {line}".rstrip() + "\n" for line in text.strip().splitlines()))

"""`--help`: plain text that teaches, examples before options, and no heavy import to print it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from tidegate.cli.terminal import cells, stdout

SETTINGS = {"help_option_names": ["-h", "--help"]}
_FIRST = 26  # columns of options, before their helps


class Command(TyperCommand):
    """A command whose epilog holds its examples, printed as they stand."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return _usage(self, ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _page(self, ctx, formatter)


class Group(TyperGroup):
    """A group of few commands, listed with their one-line helps."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return _usage(self, ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _page(self, ctx, formatter)
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        section(
            formatter, "Commands", [(name, command.get_short_help_str(70)) for name, command in commands if command]
        )


class Defaulting(Group):
    """A group whose first command is meant where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = next(iter(self.commands))
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else [first, *args])


def _page(command: Any, ctx: Any, formatter: Any) -> None:
    parameters = command.get_params(ctx)
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    options = [p for p in parameters if p.param_type_name == "option" and not p.hidden]
    command.format_usage(ctx, formatter)
    formatter.write_paragraph()
    formatter.write_text(command.help or "")
    if command.epilog:
        heading(formatter, "Examples")
        formatter.write("".join(f"  {line}".rstrip() + "\n" for line in command.epilog.strip().splitlines()))
    section(formatter, "Arguments", list({_name(argument): argument.help or "" for argument in arguments}.items()))
    section(formatter, "Options", [(_spelled(option), _explained(option)) for option in options])


def _usage(command: Any, ctx: Any) -> list[str]:
    arguments = [_name(p) for p in command.get_params(ctx) if p.param_type_name == "argument"]
    return ["[OPTIONS]", *(["COMMAND", "..."] if isinstance(command, TyperGroup) else arguments)]


def heading(formatter: Any, title: str) -> None:
    formatter.write(f"\n{stdout().paint(title, 'bold')}\n")


def section(formatter: Any, title: str, rows: Sequence[tuple[str, str]]) -> None:
    """A heading and two columns; nothing where there are no rows."""
    from textwrap import wrap

    if not rows:
        return
    heading(formatter, title)
    first = min(_FIRST, max(cells(left) for left, _ in rows))
    for left, right in rows:
        lines = wrap(right, max(20, formatter.width - first - 4)) or [""]
        if cells(left) > first:
            formatter.write(f"  {left}\n")
            left = ""
        formatter.write("".join(_columns([left, *[""] * (len(lines) - 1)], lines, first)))


def _columns(left: Iterable[str], right: Iterable[str], first: int) -> Iterable[str]:
    for name, text in zip(left, right, strict=True):
        yield f"  {name}{' ' * (first - cells(name))}  {text}".rstrip() + "\n"


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _spelled(option: Any) -> str:
    """`-n, --limit N`; a switch that can be turned off: `--x/--no-x`."""
    names = ", ".join(sorted(option.opts, key=len))
    if option.secondary_opts:
        names += "/" + option.secondary_opts[0]
    takes = not option.is_flag and not getattr(option, "count", False)
    metavar = option.metavar or option.name.upper()
    return f"{names} {metavar}" if takes and option.name != "help" else names


def _explained(option: Any) -> str:
    text = option.help or ""
    default = option.default
    if option.is_flag or default in (None, "", ()) or not isinstance(default, str | int | float):
        return text
    return f"{text} [default: {default}]"

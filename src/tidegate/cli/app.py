"""The table of commands. A command's module is imported when it is called, so that starting costs next to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer

from tidegate.cli.help import SETTINGS, Command, Group, heading, section
from tidegate.cli.terminal import stdout


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    summary: str
    module: str
    """Below `tidegate.cli.commands`; its function (or Typer app) has the command's name, with `_` for `-`."""


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Run pipelines": (
        Entry("run", "Run a pipeline on this machine.", "run"),
        Entry("resume", "Continue an interrupted, cancelled or failed run.", "again"),
        Entry("retry", "Run again from one task on; earlier work is kept.", "again"),
        Entry("cancel", "Stop a run that is going on; it can be resumed.", "again"),
        Entry("cache", "Look at the cache, or clear it.", "cache"),
    ),
    "Look at runs": (
        Entry("runs", "List runs.", "runs"),
        Entry("show", "Show a run: its tasks, parameters and outputs.", "runs"),
        Entry("logs", "Print a task's log.", "logs"),
        Entry("diff", "Compare two runs: parameters, data, metrics, code.", "diff"),
        Entry("report", "Write a run's report as one HTML file.", "report"),
        Entry("lineage", "How an artifact was made, and what depends on it.", "lineage"),
    ),
    "Look at pipelines": (
        Entry("graph", "Draw a pipeline.", "pipelines"),
        Entry("lint", "Check a pipeline without running it.", "pipelines"),
        Entry("compile", "Compile a pipeline to a file that engines take.", "pipelines"),
    ),
    "Models": (
        Entry("models", "List models and their pushed versions.", "models"),
        Entry("verify", "Check a pushed model's signature and content.", "models"),
        Entry("serve", "Serve a model on this machine.", "serve"),
        Entry("rollout", "Bring a new model live, step by step.", "rollout"),
        Entry("operator", "Roll models out in a cluster: the controller of ModelRollouts.", "operator"),
    ),
    "Keep house": (
        Entry("setup", "Make the local environments that pipelines run in.", "environments"),
        Entry("doctor", "Say what is missing here, and what mends it.", "house"),
        Entry("gc", "Give back the space of runs that nobody needs.", "house"),
        Entry("completion", "Print (or install) completion for your shell.", "house"),
        Entry("version", "Print the version.", "house"),
    ),
}
ENTRIES = {entry.name: entry for entries in SECTIONS.values() for entry in entries}

_NAME = max(map(len, ENTRIES))
EXAMPLES = """
tidegate run pipeline.py              run a pipeline; again: from the cache
tidegate run pipeline.py --dry-run    what would run, and why it is not cached
tidegate show latest                  the last run
tidegate logs latest trainer -f       follow a task's log
tidegate report latest --open         all about a run, as one HTML page
"""
EPILOG = """
Exit codes   0 done; 1 the run failed, or a check said no; 2 bad input;
             3 the store or an environment is not as it must be; 130 interrupted
Environment  TIDEGATE_STORE (the store's folder), NO_COLOR,
             TIDEGATE_DEBUG=1 (tracebacks of tidegate's own)
"""


class Root(Group):
    """Knows the names of all commands, and imports only the one that is asked for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(ENTRIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in ENTRIES:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = load(ENTRIES[cmd_name])
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in ENTRIES and not args[0].startswith("-"):
            from tidegate.cli.failures import CommandError, near

            hint = near(args[0], list(ENTRIES))
            raise CommandError(
                f"there is no command {args[0]!r}" + (f"; {hint}" if hint else ""),
                fix="`tidegate --help` lists the commands",
            )
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(f"{stdout().paint('tidegate', 'bold')}: {self.help}\n\n")
        self.format_usage(ctx, formatter)
        heading(formatter, "Examples")
        formatter.write("".join(f"  {line}\n" for line in EXAMPLES.strip().splitlines()))
        for title, entries in SECTIONS.items():
            section(formatter, title, [(entry.name.ljust(_NAME), entry.summary) for entry in entries])
        formatter.write(f"\n{EPILOG.strip()}\n\n`tidegate COMMAND --help` explains a command, with examples.\n")


def load(entry: Entry) -> Any:
    """The command (or group) of an entry, made from its module."""
    module = import_module(f"tidegate.cli.commands.{entry.module}")
    thing = getattr(module, entry.name.replace("-", "_"))
    if isinstance(thing, typer.Typer):
        made = typer.main.get_group(thing)
        made.name, made.help = entry.name, f"{entry.summary}\n\n{thing.info.help or ''}".strip()
        return made
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(
        entry.name,
        cls=Command,
        help=f"{entry.summary}\n\n{_described(thing)}".strip(),
        epilog=getattr(module, "EXAMPLES", {}).get(entry.name),
        context_settings=SETTINGS,
    )(thing)
    return typer.main.get_command(single)


def _described(function: Any) -> str:
    from inspect import cleandoc

    return cleandoc(function.__doc__ or "")


def build() -> Any:
    """The command line as one command."""
    app = typer.Typer(
        cls=Root,
        add_completion=False,
        rich_markup_mode=None,
        help="ML pipelines that end in a safe rollout",
        context_settings=SETTINGS,
    )
    app.callback()(_root)
    return typer.main.get_command(app)


def _version(asked: bool) -> None:
    if asked:
        from tidegate import __version__

        stdout().print(f"tidegate {__version__}")
        raise typer.Exit()


def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """ML pipelines that end in a safe rollout."""

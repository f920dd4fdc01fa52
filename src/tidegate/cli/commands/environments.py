"""`tidegate setup`."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from tidegate.cli import options
from tidegate.cli.terminal import stdout

EXAMPLES = {
    "setup": """
tidegate setup                  all; what is as it must be costs nothing
tidegate setup components       one
tidegate setup --dry-run        the commands that would run
""",
}


def setup(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ENVIRONMENT ...]", help="Which; else all.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Make them again, also where nothing changed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the commands.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """From the lock files (with hashes) that `[tool.tidegate.environments]` names, or that tidegate brings, by uv."""
    from tidegate.local import making
    from tidegate.local.settings import load

    to = stdout()

    def say(line: str) -> None:
        if not quiet:
            to.print(line)
            to.file.flush()

    wanted = making.recipes(load(), names or [])
    todo = [recipe for recipe in wanted if force or not making.is_current(recipe)]
    uv = making.find_uv()
    if dry_run:
        to.lines(shlex.join(command) for recipe in todo for command in recipe.commands(uv))
        return
    making.make(todo, uv, say, force)
    say("the environments are as their locks say" if wanted else "no environment here has a lock to make it from")

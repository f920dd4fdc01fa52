"""`tidegate setup`."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from tidegate.cli import options
from tidegate.cli.failures import CommandError, Exit
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
    from tidegate.cli.environments import make, plans
    from tidegate.local.settings import load

    to = stdout()
    for plan in plans(load(), names or [], _uv(), force):
        if not plan.commands:
            to.print(f"{plan.name}: as its lock says ({plan.path})")
            continue
        if dry_run:
            to.lines(shlex.join(command) for command in plan.commands)
            continue
        to.print(f"{plan.name}: making {plan.path} from {plan.lock}")
        to.file.flush()
        make(plan, quiet)
        to.print(f"{plan.name}: done")


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        from shutil import which

        if found := which("uv"):
            return found
    raise CommandError("uv, which makes environments, is not installed", fix="pip install uv", code=Exit.ENVIRONMENT)

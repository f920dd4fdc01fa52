"""`tidegate doctor`, `tidegate gc`, `tidegate completion`, `tidegate version`."""

from __future__ import annotations

import platform
import sys
import time
from enum import StrEnum
from typing import Annotated

import typer

from tidegate.cli import dates, options, words
from tidegate.cli.failures import Exit
from tidegate.cli.output import Format, emit
from tidegate.cli.references import open_store
from tidegate.cli.terminal import stdout

EXAMPLES = {
    "gc": """
tidegate gc --dry-run              what would go
tidegate gc --keep 5               keep the last five runs
tidegate gc --newer-than 14d       keep the runs of the last two weeks
""",
    "completion": """
tidegate completion bash --install
source <(tidegate completion zsh)
""",
}


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def doctor(output: options.Output = Format.TABLE) -> None:
    """Looks at Python, the settings, the environments, the store, disk and memory, and lets one task really run. Exit
    code 1 where something has to be mended; the command that does it is printed.
    """
    from tidegate.local.doctor import checks

    to = stdout()
    found = []
    for check in checks():
        found.append(check)
        if not output.for_machines:
            mark = to.paint("✓", "green") if check.ok else to.paint("✗", "red bold")
            to.print(f"{mark} {check.name}: {check.found}")
            if not check.ok and check.mend:
                to.print(f"  {to.paint('to mend it:', 'bold')} {check.mend}")
            to.file.flush()
    if output.for_machines:
        emit(
            output,
            lambda: [{"name": c.name, "ok": c.ok, "found": c.found, "mend": c.mend} for c in found],
            lambda _to, _wide: [],
        )
    if not all(check.ok for check in found):
        raise typer.Exit(Exit.FAILED)


def gc(
    keep: Annotated[int, typer.Option("--keep", min=0, metavar="N", help="Keep the last N runs.")] = 20,
    newer_than: Annotated[
        str, typer.Option("--newer-than", metavar="DATE", help="Keep runs since then: 2026-11-20, 3h, 7d.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
) -> None:
    """Runs that are going on, the last ones, and what a kept run or a pushed model needs always stay, and so do the
    records that tell their lineage.
    """
    from tidegate.store.gc import collect

    now = time.time()
    with open_store(store, make=False) as opened:
        newer = dates.moment(newer_than, now, "--newer-than") if newer_than else None
        freed = collect(opened, keep=keep, newer_than=newer, now=now, dry_run=dry_run)
    verb = "would free" if dry_run else "freed"
    said = (
        f"{verb} {words.size(freed.size)}: {len(freed.runs)} runs, {len(freed.files)} folders, "
        f"{freed.cache_entries} cache entries"
    )
    data = {
        "dry_run": dry_run,
        "runs": list(freed.runs),
        "files": [str(path) for path in freed.files],
        "size": freed.size,
        "cache_entries": freed.cache_entries,
    }
    emit(output, lambda: data, lambda _to, _wide: [*(f"  {run}" for run in freed.runs), said])


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")],
    install: Annotated[bool, typer.Option("--install", help="Write it where the shell looks for it.")] = False,
) -> None:
    """Completes commands, options, runs and tasks."""
    from typer._completion_shared import get_completion_script
    from typer._completion_shared import install as write

    if install:
        _, path = write(shell=shell.value, prog_name="tidegate")
        stdout().print(f"wrote {path}; open a new shell to use it")
        return
    script = get_completion_script(prog_name="tidegate", complete_var="_TIDEGATE_COMPLETE", shell=shell.value)
    stdout().print(script)


def version(output: options.Output = Format.TABLE) -> None:
    """tidegate's, Python's, and those of the libraries that pipelines meet first."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    from tidegate import __version__

    found = {"tidegate": __version__, "python": platform.python_version()}
    for library in ("kfp", "kfp-kubernetes"):
        try:
            found[library] = installed(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    data = {**found, "executable": sys.executable}
    emit(output, lambda: data, lambda _to, _wide: [f"{name} {value}" for name, value in found.items()])

"""`tidegate report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli import options
from tidegate.cli.clusters import readable
from tidegate.cli.failures import CommandError
from tidegate.cli.references import find_run, open_store
from tidegate.cli.terminal import stderr, stdout

EXAMPLES = {
    "report": """
tidegate report latest --open
tidegate report latest:flights --to flights.html
""",
}


def report(
    run: options.Run,
    output: Annotated[
        Path | None, typer.Option("--to", "-o", metavar="FILE", help="Where; else report.html in the run's folder.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    store: options.Store = None,
) -> None:
    """One self-contained page, no network needed: the graph and its times, the data's distributions, anomalies, metrics
    by slice with their intervals, training curves, and the blessing with its reasons.
    """
    from tidegate.report import write_report

    with open_store(store, make=False) as opened:
        record = find_run(opened, run)
        path = (output or Path(record.folder) / "report.html").absolute()
        if path.is_dir():
            raise CommandError(f"{path} is a folder", expected="a file, such as report.html")
        write_report(opened, record.id, path, readable(record))
    stdout().print(str(path))
    if show:
        import webbrowser

        if not webbrowser.open(path.as_uri()):
            stderr().print("no browser could be started here: open the file above")

"""`tidegate rollout simulate`: what a plan would do, before it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli import options
from tidegate.cli.failures import CommandError
from tidegate.cli.output import Format, emit
from tidegate.cli.serving import read_plan
from tidegate.cli.terminal import stderr, stdout

EPILOG = """
tidegate rollout simulate plan.yaml --stable error=0.01 --canary error=0.02
tidegate rollout simulate plan.yaml --stable error=0.01,p99=0.08 --canary error=0.01,p99=0.2 --rate 20
tidegate rollout simulate plan.yaml --canary error=0.01,error@50=0.5     it breaks once it has 50 %
tidegate rollout simulate plan.yaml --burst 8 --swing 0.03 --to plot.html
"""
RATES = (
    "error, agreement, drift (shares), reward (mean), p50, p99 (seconds), query, silent, dies; NAME@WEIGHT=: from there"
)


def simulate(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A ModelRollout, or its spec alone (YAML).")],
    stable: Annotated[str, typer.Option("--stable", metavar="RATES", help=f"The live model: {RATES}")] = "error=0.01",
    canary: Annotated[
        str, typer.Option("--canary", metavar="RATES", help="The new model: what is not given is as stable's.")
    ] = "",
    rate: Annotated[float, typer.Option("--rate", metavar="N", min=0, help="Requests in a second, of both.")] = 100.0,
    interval: Annotated[
        float, typer.Option("--interval", metavar="SECONDS", min=0.1, help="Between two looks at the metrics.")
    ] = 5.0,
    burst: Annotated[
        float,
        typer.Option("--burst", metavar="TIMES", min=1, max=10, help="At times requests come so many times as often."),
    ] = 1.0,
    swing: Annotated[
        float,
        typer.Option("--swing", metavar="SHARE", min=0, max=1, help="Both error rates rise by up to it and fall."),
    ] = 0.0,
    period: Annotated[float, typer.Option("--period", metavar="SECONDS", min=1, help="Of one rise and fall.")] = 600.0,
    runs: Annotated[int, typer.Option("--runs", "-n", metavar="N", min=1, help="Rollouts.")] = 1000,
    horizon: Annotated[
        float, typer.Option("--horizon", metavar="SECONDS", min=1, help="What is undecided then is told as such.")
    ] = 14400.0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed, the same rollouts.")] = 0,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write the plot too: FILE.svg or FILE.html.")
    ] = None,
    output: options.Output = Format.TABLE,
) -> None:
    """How often and how fast this plan would promote, roll back or wait, if the models' true rates were these. The very
    code that decides live decides on drawn requests. Bounds are kept when a model that is not worse is rolled back, and
    one that is worse by the margin promoted, no more often than the plan says.
    """
    from tidegate.cli.views import simulation as view
    from tidegate.rollout.simulation.runs import simulate as simulated
    from tidegate.rollout.simulation.truth import Traffic, TruthError, truth

    if to is not None and to.suffix not in (".svg", ".html"):
        raise CommandError(f"{to} is neither .svg nor .html", expected="--to FILE.svg or FILE.html")
    spec = read_plan(plan)[1]
    try:
        models = truth(stable), truth(f"{stable},{canary}")
    except TruthError as error:
        raise CommandError(str(error), fix="for example --stable error=0.01,p50=0.02,p99=0.08") from None
    traffic = Traffic(rate, interval, burst, swing, period)
    with view.progress(stderr(), runs, quiet=output.for_machines) as step:
        ran = [step(each) for each in simulated(spec, *models, traffic, runs, seed, horizon)]
    if to is not None:
        try:
            to.write_text(view.picture(spec, ran, html=to.suffix == ".html"), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{to} cannot be written: {error.strerror}") from None
    emit(output, lambda: view.data(spec, ran, seed), lambda screen, _: view.told(spec, ran, screen))
    if to is not None and not output.for_machines:
        stdout().print(f"plot: {to}")

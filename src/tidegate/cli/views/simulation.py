"""Simulated rollouts as a table, as plots for the terminal, and as SVG or HTML."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from tidegate.cli import words
from tidegate.cli.tables import Column, table
from tidegate.cli.terminal import Terminal
from tidegate.report.charts import lines
from tidegate.report.svg import tag
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.simulation.runs import Outcome, Ran, outcomes

BARS = " ▁▂▃▄▅▆▇█"
SPELLED = {"Promoted": "promoted", "RolledBack": "rolled back", "Reported": "reported", "Undecided": "undecided"}
STYLES = {"Promoted": "green", "RolledBack": "red", "Reported": "green", "Undecided": "yellow"}


@contextmanager
def progress(to: Terminal, runs: int, quiet: bool) -> Iterator[Callable[[Ran], Ran]]:
    """Calls of what is given count the rollouts on the terminal, where a person watches."""
    done = 0

    def step(ran: Ran) -> Ran:
        nonlocal done
        done += 1
        if to.interactive and not quiet and (done % 20 == 0 or done == runs):
            to.file.write(f"\r{done} of {runs} rollouts simulated")
            to.file.flush()
        return ran

    yield step
    if to.interactive and not quiet:
        to.file.write("\r\033[K")


def told(plan: RolloutPlan, ran: Sequence[Ran], to: Terminal) -> list[str]:
    """The table, then when rollouts ended and what share of requests the new model had."""
    columns = (
        Column("ENDS"), Column("ROLLOUTS", right=True), Column("SHARE", right=True), Column("95 %", right=True),
        Column("TIME", right=True), Column("10 TO 90 %", right=True), Column("REQUESTS", right=True),
        Column("ERRORS", right=True),
    )  # fmt: skip
    found = outcomes(ran)
    rows = [_row(each) for each in found]
    result = [*table(columns, rows, to), ""]
    result.append(
        to.paint("time and requests: medians until promotion, or until no request goes to the new model", "dim")
    )
    bounds = plan.bounds
    result.append(
        to.paint(f"bounds: false rollback {bounds.false_rollback:g}, false promotion {bounds.false_promotion:g}", "dim")
    )
    return [*result, "", *_plots(ran, found, to)]


def data(plan: RolloutPlan, ran: Sequence[Ran], seed: int) -> dict[str, Any]:
    """Plain data for `--output json`."""
    return {
        "runs": len(ran),
        "seed": seed,
        "bounds": plan.bounds.model_dump(by_alias=True),
        "outcomes": [_plain(each) for each in outcomes(ran)],
    }


def picture(plan: RolloutPlan, ran: Sequence[Ran], html: bool) -> str:
    """Shares of ended rollouts over time, and the new model's share of requests, as a document of its own."""
    ended, weights = _ended(ran), _weights(ran)
    drawn = [lines(ended, "seconds", "share of rollouts that ended so", width=640.0, height=300.0)]
    drawn.append(lines(weights, "seconds", "per cent of requests for the new model", width=640.0, height=260.0))
    style = files("tidegate.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
    sheet = Markup(f"<style>{style}</style>")  # noqa: S704 - a file of our own
    if not html:
        below = tag("svg", drawn[1], y=310, width=640, height=260)
        size = {"xmlns": "http://www.w3.org/2000/svg", "width": 640, "height": 580, "viewBox": "0 0 640 580"}
        return str(tag("svg", sheet + tag("svg", drawn[0], width=640, height=300) + below, **size))
    head = tag("head", tag("meta", charset="utf-8") + tag("title", "simulated rollouts") + sheet)
    cells = [tag("tr", Markup("").join(tag("td", text) for text in _row(each))) for each in outcomes(ran)]
    names = ("ends", "rollouts", "share", "95 %", "time", "10 to 90 %", "requests", "errors")
    heads = tag("tr", Markup("").join(tag("th", name) for name in names))
    bounds = f"Bounds: false rollback {plan.bounds.false_rollback:g}, false promotion {plan.bounds.false_promotion:g}."
    parts = [
        tag("h1", f"{len(ran):,} simulated rollouts"),
        tag("p", bounds),
        tag("table", heads + Markup("").join(cells)),
    ]
    sections = [tag("section", part) for part in drawn]
    body = tag("body", tag("main", Markup("").join([tag("section", Markup("").join(parts)), *sections])))
    return "<!doctype html>\n" + str(tag("html", head + body, lang="en"))


def _row(outcome: Outcome) -> list[str]:
    middle, low, high = outcome.seconds
    return [
        SPELLED.get(outcome.ended, outcome.ended),
        f"{outcome.count:,}",
        f"{100 * outcome.share:.2f} %",
        f"{100 * outcome.low:.2f} to {100 * outcome.high:.2f}",
        words.seconds(middle),
        f"{words.seconds(low)} to {words.seconds(high)}",
        f"{outcome.requests[0]:,.0f}",
        f"{outcome.bad[0]:,.0f}",
    ]


def _plain(outcome: Outcome) -> dict[str, Any]:
    said = asdict(outcome)
    for name in ("seconds", "requests", "bad"):
        said[name] = dict(zip(("median", "p10", "p90"), said[name], strict=True))
    return said


def _plots(ran: Sequence[Ran], found: Sequence[Outcome], to: Terminal) -> list[str]:
    wide = min(max((to.width or 80) - 26, 20), 60)
    last = max(each.seconds for each in ran)
    edges = [last * (at + 1) / wide for at in range(wide)]
    plots = []
    for outcome in found:
        times = sorted(each.seconds for each in ran if each.ended == outcome.ended)
        counts = [bisect_right(times, b) - bisect_right(times, a) for a, b in zip([-1.0, *edges], edges, strict=False)]
        name = SPELLED.get(outcome.ended, outcome.ended)
        plots.append(f"{name:<12} {to.paint(_bars(counts), STYLES.get(outcome.ended, ''))}")
    middle = [_weight(sorted(_at(each, edge) for each in ran)) for edge in edges]
    plots.append(f"{'weight':<12} {to.paint(_bars(middle, 100.0), 'blue')}  median, 0 to 100 %")
    return [*plots, f"{'':<12} 0s{words.seconds(last):>{wide - 2}}"]


def _bars(values: Sequence[float], top: float | None = None) -> str:
    most = top or max(values, default=0.0) or 1.0
    steps = len(BARS) - 1
    return "".join(BARS[0 if value <= 0 else max(1, round(value / most * steps))] for value in values)


def _at(ran: Ran, seconds: float) -> float:
    """The new model's share of requests at a time: all of them once it is promoted."""
    if seconds >= ran.seconds:
        return 100.0 if ran.ended == "Promoted" else 0.0
    at = bisect_right([when for when, _ in ran.path], seconds) - 1
    return float(ran.path[at][1]) if at >= 0 else 0.0


def _weight(ordered: Sequence[float], share: float = 0.5) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _ended(ran: Sequence[Ran]) -> dict[str, list[tuple[float, float]]]:
    edges = _edges(ran)
    series = {}
    for ended in dict.fromkeys(each.ended for each in sorted(ran, key=lambda each: each.ended)):
        times = sorted(each.seconds for each in ran if each.ended == ended)
        series[SPELLED.get(ended, ended)] = [(edge, bisect_right(times, edge) / len(ran)) for edge in edges]
    return series


def _weights(ran: Sequence[Ran]) -> dict[str, list[tuple[float, float]]]:
    series: dict[str, list[tuple[float, float]]] = {"median": [], "10 %": [], "90 %": []}
    for edge in _edges(ran):
        ordered = sorted(_at(each, edge) for each in ran)
        for name, share in zip(series, (0.5, 0.1, 0.9), strict=True):
            series[name].append((edge, _weight(ordered, share)))
    return series


def _edges(ran: Sequence[Ran], count: int = 120) -> list[float]:
    last = max(each.seconds for each in ran)
    return [last * at / count for at in range(count + 1)]

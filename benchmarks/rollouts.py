"""Simulated rollouts: how often verdicts are wrong, and how fast a bad model is gone, next to fixed thresholds.

python -m benchmarks.rollouts --jobs 2          10,000 rollouts of each scenario: about an hour of CPU time
python -m benchmarks.rollouts --runs 500 --jobs 2 equal slow
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy
from rich.console import Console
from rich.table import Table

from benchmarks.rollout_rivals import Argo, Flagger
from tidegate.rollout.documents import read
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.rules import rules
from tidegate.rollout.simulation.runs import LIVE, Decide, Ran, one, simulate, wilson
from tidegate.rollout.simulation.truth import Traffic, truth
from tidegate.rollout.simulation.world import World

RESULTS = Path(__file__).parent / "results"
PLAN = read("""
model: {uri: new}
strategy: {canary: {adaptive: {start: 1, most: 50}}}
requirements:
- {name: errors, errorRate: true, versusStable: {margin: 0.01}}
- {name: latency, latency: {quantile: 0.99}, versusStable: {margin: 0.5}}
bounds: {falseRollback: 0.05, falsePromotion: 0.05}
""").plan
STABLE = "error=0.01,p50=0.02,p99=0.08"
THRESHOLD = 0.985
"""Success rate of the rivals: between 99 % (good) and 98 % (worse by the margin)."""
SLOWEST = 0.1
"""99th percentile of the rivals: between 80 ms and 120 ms."""
HORIZON = 6 * 3600.0


STEADY, SELDOM = Traffic(), Traffic(interval=10)
CHUNK = 100
ONLY_FORWARD = PLAN.model_copy(
    update={"requirements": tuple(each.model_copy(update={"decides": "promote"}) for each in PLAN.requirements)}
)
"""Nothing rolls back, so that promoting is all that can go wrong."""


@dataclass(frozen=True)
class Scenario:
    name: str
    canary: str
    """What differs from stable."""
    good: bool | None
    """Not worse: at most alpha may be rolled back. False: worse, at most beta may be promoted. None: no verdict due."""
    traffic: Traffic = STEADY
    plan: RolloutPlan = PLAN
    horizon: float = HORIZON


SCENARIOS = (
    Scenario("equal", "", True),
    Scenario("better", "error=0.005,p99=0.07", True),
    Scenario("worse by the margin", "error=0.02", False),
    Scenario("worse by the margin, no way back", "error=0.02", False, SELDOM, ONLY_FORWARD, 1800.0),
    Scenario("slower by the margin, no way back", "p50=0.03,p99=0.12", False, SELDOM, ONLY_FORWARD, 1800.0),
    Scenario("slower by the margin", "p50=0.03,p99=0.12", False),
    Scenario("much worse", "error=0.05", False),
    Scenario("broken from the start", "error=0.9", False),
    Scenario("broken at 50 %", "error@50=0.3", False),
    Scenario("slow", "p50=0.06,p99=0.24", False),
    Scenario("silent", "silent", False),
    Scenario("bursty, equal", "", True, Traffic(burst=8)),
    Scenario("bursty, worse by the margin", "error=0.02", False, Traffic(burst=8)),
    Scenario("drifting base, equal", "", True, Traffic(swing=0.05)),
    Scenario("drifting base, worse by the margin", "error=0.02", False, Traffic(swing=0.05)),
)
RIVALS: dict[str, Callable[[], Decide]] = {
    "Argo Rollouts": lambda: Argo(THRESHOLD, SLOWEST),
    "Flagger": lambda: Flagger(THRESHOLD, SLOWEST),
}


@dataclass(frozen=True)
class Row:
    scenario: str
    how: str
    runs: int
    promoted: float
    rolled_back: float
    undecided: float
    wrong: float | None
    wrong_interval: tuple[float, float] | None
    seconds: float
    """Median until the verdict was in force."""
    requests: float
    """Median of users' requests that the new model answered until then."""
    bad: float
    cpu_seconds: float


def measured(scenario: Scenario, how: str, ran: Sequence[Ran], cpu: float) -> Row:
    """One line of the table."""
    n = len(ran)
    share = {name: sum(each.ended == name for each in ran) / n for name in ("Promoted", "RolledBack", "Undecided")}
    wrong = None if scenario.good is None else share["RolledBack" if scenario.good else "Promoted"]
    medians = [float(numpy.median([getattr(each, name) for each in ran])) for name in ("seconds", "requests", "bad")]
    return Row(
        scenario.name, how, n, share["Promoted"], share["RolledBack"], share["Undecided"], wrong,
        None if wrong is None else wilson(round(wrong * n), n), *medians, cpu,
    )  # fmt: skip


def tidegate(scenario: Scenario, runs: int, seed: int, pool: Executor) -> Row:
    chunks = [(scenario.name, seed, first, min(CHUNK, runs - first)) for first in range(0, runs, CHUNK)]
    done = list(pool.map(_chunk, chunks))
    return measured(scenario, "tidegate", [each for ran, _ in done for each in ran], sum(cpu for _, cpu in done))


def _chunk(said: tuple[str, int, int, int]) -> tuple[list[Ran], float]:
    name, seed, first, runs = said
    scenario = next(each for each in SCENARIOS if each.name == name)
    began = time.process_time()
    models = truth(STABLE), truth(f"{STABLE},{scenario.canary}")
    found = simulate(scenario.plan, *models, scenario.traffic, runs, seed, scenario.horizon, first=first)
    return [replace(each, path=(), reason="") for each in found], time.process_time() - began


def rival(scenario: Scenario, name: str, runs: int, seed: int) -> Row:
    """The same seeds, decided by fixed thresholds."""
    began = time.process_time()
    models = truth(STABLE), truth(f"{STABLE},{scenario.canary}")
    ran = []
    for at in range(runs):
        draw = numpy.random.Generator(numpy.random.PCG64(numpy.random.SeedSequence((seed, at))))
        world = World(rules(PLAN), *models, scenario.traffic, LIVE, draw)
        ran.append(one(PLAN, world, scenario.traffic.interval, HORIZON, RIVALS[name]()))
    return measured(scenario, name, ran, time.process_time() - began)


def shown(rows: Sequence[Row]) -> Table:
    table = Table("scenario", "decided by", "promoted %", "rolled back %", "wrong %", "median s", "requests", "errors")
    for row in rows:
        wrong = "" if row.wrong is None else f"{100 * row.wrong:.2f}"
        if row.wrong_interval:
            wrong += f" ({100 * row.wrong_interval[0]:.2f} to {100 * row.wrong_interval[1]:.2f})"
        table.add_row(
            row.scenario, row.how, f"{100 * row.promoted:.2f}", f"{100 * row.rolled_back:.2f}", wrong,
            f"{row.seconds:.0f}", f"{row.requests:.0f}", f"{row.bad:.0f}",
        )  # fmt: skip
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", help="scenarios whose name contains one of these; by default all")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rival-runs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    said = parser.parse_args()
    with ProcessPoolExecutor(said.jobs) as pool:
        rows = compared(said.names, said.runs, said.rival_runs, said.seed, pool)
    Console(width=150).print(shown(rows))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"rollouts-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2), encoding="utf-8")
    print(f"details: {path}")
    beyond = [row for row in rows if row.how == "tidegate" and row.wrong_interval and row.wrong_interval[0] > 0.05]
    if beyond:
        raise SystemExit(f"beyond the stated bound: {', '.join(row.scenario for row in beyond)}")


def compared(names: Sequence[str], runs: int, rival_runs: int, seed: int, pool: Executor) -> list[Row]:
    """The rows of the table; each is printed as soon as it is there."""
    rows: list[Row] = []
    for scenario in SCENARIOS:
        if names and not any(name in scenario.name for name in names):
            continue
        rows.append(tidegate(scenario, runs, seed, pool))
        print(json.dumps(asdict(rows[-1])), flush=True)
        if scenario.plan is PLAN and rival_runs:
            rows += [rival(scenario, name, rival_runs, seed) for name in RIVALS]
    return rows


if __name__ == "__main__":
    main()

"""Many simulated rollouts, and how often and how fast they end how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy

from tidegate.rollout.actions import Action, Record, Wait
from tidegate.rollout.advance import advance, start
from tidegate.rollout.observation import CANARY, Observation
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.rules import rules
from tidegate.rollout.simulation.truth import Traffic, Truth
from tidegate.rollout.simulation.world import World
from tidegate.rollout.state import Phase, State

LIVE = "simulated:stable"
BEGINS = 1_700_000_000.0
UNDECIDED = "Undecided"
Decide = Callable[[RolloutPlan, State, Observation, float], tuple[State, Action]]


@dataclass(frozen=True, slots=True)
class Ran:
    """One simulated rollout."""

    ended: str
    """`Promoted`, `RolledBack`, `Reported`, or `Undecided` at the horizon."""
    reason: str
    seconds: float
    """Until it was promoted, or no request went to the new model any more."""
    requests: float
    """Users' requests that the new model answered until then."""
    bad: float
    """Of those, errors."""
    peak: int
    """The largest weight that the new model had, per cent."""
    path: tuple[tuple[float, int], ...]
    """(seconds, weight) at each change."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many ended so, and how: medians with the 10th and 90th of a hundred."""

    ended: str
    count: int
    share: float
    low: float
    high: float
    """95 % interval of the share (Wilson)."""
    seconds: tuple[float, float, float]
    requests: tuple[float, float, float]
    bad: tuple[float, float, float]


def simulate(
    plan: RolloutPlan, stable: Truth, canary: Truth, traffic: Traffic, runs: int, seed: int = 0,
    horizon: float = 86_400.0, decide: Decide = advance, first: int = 0,
) -> Iterator[Ran]:  # fmt: skip
    """`runs` rollouts, from number `first` on; each has its own seed, so that it is the same whatever their number.

    `decide` stands in for `advance` where another way of deciding is to be compared with.
    """
    plan = plan.model_copy(update={"git": None, "paused": False})
    for at in range(first, first + runs):
        draw = numpy.random.Generator(numpy.random.PCG64(numpy.random.SeedSequence((seed, at))))
        yield one(plan, World(rules(plan), stable, canary, traffic, LIVE, draw), traffic.interval, horizon, decide)


def one(plan: RolloutPlan, world: World, interval: float, horizon: float, decide: Decide = advance) -> Ran:
    """One rollout in a world, from its first look to its end or the horizon."""
    now = BEGINS
    state = start(plan, now, LIVE)
    path: list[tuple[float, int]] = []
    gone: float | None = None
    while not state.phase.final and now - BEGINS < horizon:
        world.passes(now)
        now += interval
        state, action = decide(plan, state, world.seen(now), now)
        if not isinstance(action, Wait | Record):
            world.perform(action)
        weight = world.weights.get(CANARY, 0)
        if not path or path[-1][1] != weight:
            path.append((now - BEGINS, weight))
        if state.phase in (Phase.ROLLING_BACK, Phase.CONCLUDING) and not weight and gone is None:
            gone = now - BEGINS
    ended = str(state.phase) if state.phase.final else UNDECIDED
    seconds = now - BEGINS if gone is None else gone
    return Ran(ended, state.reason, seconds, world.answered, world.bad, max(w for _, w in path), tuple(path))


def outcomes(ran: Sequence[Ran]) -> list[Outcome]:
    """One for each way to end, the most frequent first."""
    found: dict[str, list[Ran]] = {}
    for each in ran:
        found.setdefault(each.ended, []).append(each)
    made = []
    for ended, those in sorted(found.items(), key=lambda item: -len(item[1])):
        low, high = wilson(len(those), len(ran))
        spreads = [_spread([getattr(each, name) for each in those]) for name in ("seconds", "requests", "bad")]
        made.append(Outcome(ended, len(those), len(those) / len(ran), low, high, *spreads))
    return made


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, JASA 1927)."""
    z = 1.959964
    p, n = hits / total, total
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max((middle - half) / (1 + z * z / n), 0.0), min((middle + half) / (1 + z * z / n), 1.0)


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    at = [ordered[min(int(share * len(ordered)), len(ordered) - 1)] for share in (0.5, 0.1, 0.9)]
    return at[0], at[1], at[2]

"""A few hundred rollouts with fixed seeds, against the bounds that the plan states: a broken bound is seen here.

`TIDEGATE_ROLLOUTS=10000` makes as many of each.
"""

from __future__ import annotations

import os
from math import comb

import pytest

from tidegate.rollout.documents import checked
from tidegate.rollout.simulation.runs import outcomes, simulate
from tidegate.rollout.simulation.truth import Traffic, truth

RUNS = int(os.environ.get("TIDEGATE_ROLLOUTS", "40"))
STEPS = {"canary": {"steps": [{"weight": 10, "minSeconds": 20}, {"weight": 50}]}}
ERRORS = {"name": "errors", "errorRate": True, "versusStable": {"margin": 0.02}}
LATENCY = {"name": "latency", "latency": {"quantile": 0.9}, "versusStable": {"margin": 0.5}}
REWARD = {"name": "reward", "reward": {}, "versusStable": {"margin": 0.1}}
DRIFT = {"name": "drift", "predictionDrift": {"output": "y"}, "atMost": 0.1}
ALPHA = 0.02
"""Small: a verdict that took a tenth of the evidence would be wrong far more often than that."""


def spec(*requirements, decides: str = "both", strategy=STEPS):
    return checked(
        {
            "model": {"uri": "new"},
            "strategy": strategy,
            "requirements": [{**each, "decides": decides} for each in requirements],
            "bounds": {"falseRollback": ALPHA, "falsePromotion": ALPHA},
        }
    )


def too_many(runs: int) -> int:
    """A count that a bound of ALPHA reaches with probability below one in a thousand."""
    tail, at = 0.0, runs
    while tail < 1e-3:
        tail += comb(runs, at) * ALPHA**at * (1 - ALPHA) ** (runs - at)
        at -= 1
    return at + 2


def counts(plan, canary: str, traffic: Traffic, horizon: float, stable: str = "error=0.02,p50=0.02,p99=0.08"):
    ran = list(simulate(plan, truth(stable), truth(f"{stable},{canary}"), traffic, RUNS, 7, horizon))
    found = {each.ended: each.count for each in outcomes(ran)}
    return found.get("Promoted", 0), found.get("RolledBack", 0)


STEADY, MOVING = Traffic(interval=10), Traffic(interval=10, burst=8, swing=0.2, period=120)


@pytest.mark.parametrize("traffic", [STEADY, MOVING], ids=["steady", "bursts, and error rates that rise tenfold"])
def test_a_model_that_is_not_worse_is_seldom_rolled_back(traffic):
    """Nothing promotes, so that it is looked at a hundred times."""
    plan = spec(ERRORS, LATENCY, REWARD, decides="rollBack")
    _, back = counts(plan, "", traffic, 600.0)
    assert back < too_many(RUNS)


@pytest.mark.parametrize(
    ("requirement", "canary", "traffic"),
    [
        (ERRORS, "error=0.04", STEADY),
        (ERRORS, "error=0.04", MOVING),
        (LATENCY, "p50=0.03,p99=0.12", STEADY),
        (REWARD, "reward=0.4", STEADY),
        (DRIFT, "drift=0.1", STEADY),
    ],
    ids=["errors", "errors that move", "latency", "reward", "drift"],
)
def test_a_model_that_is_worse_by_the_margin_is_seldom_promoted(requirement, canary, traffic):
    """Nothing rolls back, so that there are many chances; other requirements all hold."""
    promoted, _ = counts(spec(requirement, decides="promote"), canary, traffic, 500.0)
    assert promoted < too_many(RUNS)


@pytest.mark.parametrize(
    ("canary", "most"),
    [("error=0.9", 60), ("error=0.2", 150), ("p50=0.2,p99=0.8", 150), ("reward=0.1", 300), ("drift=0.45", 400)],
)
def test_a_much_worse_model_is_gone_soon(canary, most):
    plan = spec(ERRORS, LATENCY, REWARD, DRIFT)
    ran = list(simulate(plan, truth("error=0.02,p99=0.08"), truth(f"error=0.02,p99=0.08,{canary}"), STEADY, 10, 7))
    assert {each.ended for each in ran} == {"RolledBack"}
    assert sorted(each.seconds for each in ran)[5] <= most


def test_a_good_model_is_promoted_by_every_strategy():
    for strategy in (STEPS, {"canary": {}}, {"blueGreen": {"warmSeconds": 30}}, {"shadow": {"then": "promote"}}):
        plan = spec(ERRORS, LATENCY, strategy=strategy)
        ran = list(simulate(plan, truth("error=0.02,p99=0.08"), truth("error=0.02,p99=0.08"), STEADY, 20, 7, 7200.0))
        ended = [each.ended for each in ran]
        assert ended.count("Promoted") >= 20 - too_many(20), strategy
        assert ended.count("Promoted") + ended.count("RolledBack") == 20, strategy


def test_a_model_worse_than_the_ramp_may_bear_seldom_gets_far():
    """Worse by four margins: it gets to a quarter of the largest weight with probability at most beta."""
    plan = spec(ERRORS, decides="promote", strategy={"canary": {"adaptive": {"start": 1, "most": 48}}})
    stable, canary = truth("error=0.02"), truth("error=0.1")
    ran = list(simulate(plan, stable, canary, STEADY, RUNS, 3, 600.0))
    assert sum(each.peak >= 12 for each in ran) < too_many(RUNS)
    assert sum(each.peak >= 4 for each in ran) > RUNS // 2  # less than that it may bear

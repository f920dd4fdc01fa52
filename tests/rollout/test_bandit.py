"""Traffic that follows rewards, without chance."""

from __future__ import annotations

import json

import numpy
import pytest

from tests.rollout.playing import NOW, Place, plan
from tidegate.rollout import bandit
from tidegate.rollout.advance import advance, start
from tidegate.rollout.memory import Means
from tidegate.rollout.observation import CANARY, STABLE, Moments, Observation, Series
from tidegate.rollout.plan import Bandit
from tidegate.rollout.state import Phase, decode, encode


@pytest.mark.parametrize(
    ("stable", "canary"), [((40, 8), (40, 14)), ((3, 1), (3, 2)), ((500, 50), (300, 30)), ((0, 0), (0, 0))]
)
def test_the_probability_of_being_best_is_that_of_draws_from_the_posteriors(stable, canary):
    draw = numpy.random.default_rng(1)
    one, other = (draw.beta(1 + s, 1 + n - s, 200_000) for n, s in (stable, canary))
    sums = [(float(n), float(s), float(s)) for n, s in (stable, canary)]
    assert bandit.best(*sums) == pytest.approx(float((other > one).mean()), abs=0.006)


def test_rewards_that_are_not_0_or_1_have_normal_posteriors():
    low, high = (400.0, 160.0, 80.0), (400.0, 200.0, 116.0)
    assert bandit.best(low, high) > 0.99
    assert bandit.best(high, low) < 0.01
    assert bandit.best(low, low) == pytest.approx(0.5)


def test_nobody_gets_less_than_the_floor():
    sure = Means(stable_recent=(900.0, 90.0, 90.0), canary_recent=(900.0, 800.0, 800.0))
    assert bandit.weight(Bandit(floor=7), sure) == 93
    greedy = Bandit(policy="epsilonGreedy", epsilon=0.2, floor=2)
    assert bandit.weight(greedy, sure) == 90
    assert bandit.weight(greedy, Means(stable_recent=(9.0, 9.0, 9.0), canary_recent=(9.0, 0.0, 0.0))) == 10


def run(policy: str, stable: float, canary: float, missing: float = 0.0, margin: float = 0.0, turns: int = 600):
    """Rewards of 0 and 1 with these means, in expectation; `missing`: the share that is never told."""
    spec = plan(
        strategy={"bandit": {"policy": policy, "margin": margin}}, requirements=[], deadlines={"evidenceSeconds": 60}
    )
    place, state, now = Place(), start(spec, NOW, "old"), NOW
    sums = {STABLE: [0.0, 0.0], CANARY: [0.0, 0.0]}
    weights = []
    for _ in range(turns):
        for role, mean in ((STABLE, stable), (CANARY, canary)):
            told = round(1000 * place.routing.weights.get(role, 0) / 100 * (1 - missing))
            sums[role][0] += told
            sums[role][1] += round(told * mean)
        now += 5
        series = tuple(
            Series(role, "reward/reward", Moments(sums[role][0], sums[role][1], sums[role][1]), now)
            for role in place.routing.models
        )
        state, action = advance(spec, state, Observation(place.routing, series), now)
        state = decode(json.loads(json.dumps(encode(state))))
        weights.append(state.weight)
        if state.phase.final:
            break
        if type(action).__name__ not in ("Wait", "Record"):
            place.perform(action)
    return state, weights


@pytest.mark.parametrize("policy", ["thompson", "epsilonGreedy"])
def test_the_better_model_wins_and_had_most_requests_before(policy):
    state, weights = run(policy, 0.2, 0.23)
    assert state.phase is Phase.PROMOTED
    assert max(weights) >= 80


@pytest.mark.parametrize("policy", ["thompson", "epsilonGreedy"])
def test_the_worse_model_goes_back(policy):
    state, weights = run(policy, 0.23, 0.2)
    assert state.phase is Phase.ROLLED_BACK
    assert "bandit" in state.reason
    assert weights[-3] <= 20


def test_missing_rewards_only_make_it_slower():
    assert run("thompson", 0.2, 0.25, missing=0.9)[0].phase is Phase.PROMOTED


def test_no_rewards_at_all_are_no_evidence():
    assert run("thompson", 0.2, 0.25, missing=1.0)[0].phase is Phase.ROLLED_BACK


def test_models_that_earn_the_same_have_no_winner():
    state, weights = run("thompson", 0.2, 0.2, turns=150)
    assert state.phase is Phase.PROGRESSING
    assert 5 <= min(weights[3:]) <= max(weights) <= 95


def test_a_model_must_win_by_more_than_the_margin():
    assert run("thompson", 0.2, 0.21, margin=0.02, turns=200)[0].phase is Phase.PROGRESSING
    assert run("thompson", 0.2, 0.26, margin=0.02, turns=400)[0].phase is Phase.PROMOTED

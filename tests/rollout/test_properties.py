"""What holds whatever is observed."""

from __future__ import annotations

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rollout.playing import NOW, Place, plan, play
from tidegate.rollout.actions import Promote, SetTraffic
from tidegate.rollout.advance import advance, start
from tidegate.rollout.explain import explain
from tidegate.rollout.observation import (
    CANARY,
    STABLE,
    Categories,
    Gauge,
    Histogram,
    Moments,
    Observation,
    Routing,
    Series,
    Tally,
)
from tidegate.rollout.state import Phase, decode, encode
from tidegate.rollout.verdicts import verdicts

numbers = st.one_of(st.floats(0, 1e6), st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 1000).map(float))
values = st.one_of(
    st.builds(Tally, numbers, numbers),
    st.integers(0, 1000).flatmap(lambda n: st.integers(0, n).map(lambda h: Tally(float(n), float(h)))),
    st.builds(Histogram, st.sampled_from([(0.1, 0.2), (0.2,), (0.2, 0.1)]), st.tuples(numbers, numbers, numbers)),
    st.builds(Moments, numbers, numbers, numbers),
    st.builds(Categories, st.dictionaries(st.sampled_from("abc"), numbers)),
    st.builds(Gauge, numbers),
)
MEASURES = ("errors", "latency", "reward/reward", "prediction/out", "query/q", "agreement")
series = st.builds(
    Series,
    st.sampled_from([STABLE, CANARY, "other"]),
    st.sampled_from(MEASURES),
    values,
    st.floats(NOW - 100, NOW + 1000) | numbers,
    st.sampled_from(["", "p"]),
    st.sampled_from(["", "header:a=b"]),
    st.sampled_from(["", "v1", "v2"]),
)
roles = st.sampled_from([STABLE, CANARY])
routings = st.builds(
    Routing,
    st.dictionaries(roles, st.integers(0, 100)),
    st.integers(0, 100),
    st.dictionaries(roles, st.sampled_from(["old", "new"])),
    st.dictionaries(roles, st.booleans()),
    st.dictionaries(roles, st.sampled_from(["", "crash"])),
    st.sampled_from(["", "", "", "a change"]),
)
commands = st.lists(st.sampled_from(["pause", "resume", "promote", "abort", "?"]), max_size=1).map(tuple)
observations = st.builds(
    Observation,
    routings,
    st.lists(series, max_size=6).map(tuple),
    st.one_of(st.just(()), st.just(()), commands),
    st.sampled_from(["", "promoted new", "rolledBack new"]),
)
REQUIREMENTS = [
    {"name": "errors", "errorRate": True, "versusStable": {"margin": 0.02}},
    {"name": "absolute", "errorRate": True, "atMost": 0.05, "slice": {"header": "a", "equals": "b"}},
    {"name": "latency", "latency": {"quantile": 0.9}, "versusStable": {"margin": 0.2}},
    {"name": "slow", "latency": {"quantile": 0.9}, "atMost": 0.15},
    {"name": "reward", "reward": {}, "versusStable": {"margin": 0.1}},
    {"name": "least", "reward": {"least": -1, "most": 3}, "atLeast": 0.5},
    {"name": "drift", "predictionDrift": {"output": "out"}, "atMost": 0.2},
    {"name": "q", "prometheus": {"query": "up"}, "atLeast": 1},
]
STRATEGIES = (
    {"canary": {"steps": [{"weight": 10}, {"weight": 50}]}},
    {"canary": {"adaptive": {}}},
    {"blueGreen": {"mirror": 50, "warmSeconds": 30}},
    {"shadow": {"then": "promote"}},
    {"bandit": {}},
    {"bandit": {"policy": "epsilonGreedy"}},
)
GIT = {"repository": "https://example.com/r.git", "path": "m.yaml"}
plans = st.builds(
    lambda strategy, git, paused: plan(strategy=strategy, requirements=REQUIREMENTS, git=git, paused=paused),
    st.sampled_from(STRATEGIES),
    st.sampled_from([None, GIT]),
    st.sampled_from([False, False, False, True]),
)


@settings(max_examples=60, deadline=None)
@given(plans, st.lists(st.tuples(observations, numbers | st.floats(-10, 60)), min_size=1, max_size=8))
def test_it_never_raises_and_its_state_is_json(spec, turns):
    state, now = start(spec, NOW, "old"), NOW
    for seen, gap in turns:
        now += gap if math.isfinite(gap) and abs(gap) < 1e5 else 1.0
        state, action = advance(spec, state, seen, now if gap != 1000 else math.nan)
        assert decode(json.loads(json.dumps(encode(state), allow_nan=False))) == state
        assert 0 <= state.weight <= 100
        if isinstance(action, SetTraffic):
            assert sum(action.weights.values()) == 100
            assert all(0 <= weight <= 100 for weight in action.weights.values())
        assert len(verdicts(spec, state)) == len(state.evidence)
        assert explain(spec, state)


@settings(max_examples=20, deadline=None)
@given(plans, st.lists(observations, min_size=1, max_size=8))
def test_replayed_from_its_log_it_is_the_same(spec, log):
    def replayed():
        state, said = start(spec, NOW, "old"), []
        for at, seen in enumerate(log):
            state, action = advance(spec, state, seen, NOW + 5 * at)
            said.append((state, action))
        return said

    assert replayed() == replayed()


@settings(max_examples=30, deadline=None)
@given(plans, observations, observations)
def test_the_same_observation_once_more_is_no_more_evidence(spec, first, second):
    state, _ = advance(spec, start(spec, NOW, "old"), first, NOW + 5)
    once, _ = advance(spec, state, second, NOW + 10)
    twice, _ = advance(spec, once, second, NOW + 10)
    if once.phase is twice.phase and once.entered == twice.entered:
        gauges = {"q"}
        seen = {each.name: each.seen for each in once.evidence if each.name not in gauges}
        assert seen == {each.name: each.seen for each in twice.evidence if each.name not in gauges}


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(STRATEGIES[:4]),
    st.floats(0, 0.3),
    st.floats(0, 0.3),
    st.sampled_from([0.0, 3.0, 100.0, 2000.0]),
    st.sets(st.integers(0, 60)),
    st.booleans(),
)
def test_killed_anywhere_it_ends_the_same(strategy, stable, canary, rate, kills, git):
    """A driver that dies before the action is performed (the state is already persisted) loses nothing."""
    spec = plan(strategy=strategy, git=GIT if git else None, deadlines={"evidenceSeconds": 100, "totalSeconds": 1500})

    def ended(killed):
        place = Place(rate, {STABLE: stable, CANARY: canary})
        return play(spec, place, perform=lambda turn: turn not in killed)

    whole, broken = ended(set()), ended(kills)
    assert broken.state.phase.final
    assert whole.state.phase.final
    live = "new" if broken.state.phase is Phase.PROMOTED else "old"
    assert broken.place.routing.models == {STABLE: live}
    assert broken.place.routing.weights == {STABLE: 100}
    clear = canary > stable + 0.1 or (canary < stable + 0.005 and rate > 1000)
    if clear and whole.state.phase is not Phase.REPORTED:
        assert broken.state.phase is whole.state.phase
    if git and broken.state.phase in (Phase.PROMOTED, Phase.ROLLED_BACK):
        said = "promoted" if broken.state.phase is Phase.PROMOTED else "rolledBack"
        assert broken.place.recorded == f"{said} new"


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(STRATEGIES), st.lists(routings, min_size=1, max_size=20), st.booleans())
def test_without_evidence_nothing_is_promoted(strategy, seen, silent):
    """Whatever the routing looks like: with no request of the new model counted, it never goes live."""
    spec = plan(strategy=strategy, requirements=REQUIREMENTS[:1])
    state = start(spec, NOW, "old")
    for at, routing in enumerate(seen):
        counts = () if silent else (Series(STABLE, "errors", Tally(100.0 * at, at), NOW + 5 * at),)
        state, action = advance(spec, state, Observation(routing, counts), NOW + 5 * at)
        assert not isinstance(action, Promote)
        assert state.phase not in (Phase.RECORDING, Phase.PROMOTING, Phase.PROMOTED)

"""Each kind of requirement: what breaks it, what shows that it holds, and what is no evidence."""

from __future__ import annotations

import pytest

from tests.rollout.playing import NOW, plan
from tidegate.rollout.advance import start
from tidegate.rollout.evidence import broken, unshown, weigh
from tidegate.rollout.explain import sentence
from tidegate.rollout.observation import CANARY, Categories, Gauge, Histogram, Moments, Tally
from tidegate.rollout.rules import rules
from tidegate.rollout.shares import blur, quantile_bound, slower
from tidegate.rollout.state import State
from tidegate.rollout.verdicts import Verdict, verdicts
from tidegate.rollout.windows import Window

BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2)


class Seen:
    """A requirement that is shown windows."""

    def __init__(self, strategy=None, wide: float = 1.0, **requirement) -> None:
        said = {"strategy": strategy} if strategy else {}
        self.plan = plan(requirements=[{"name": "it", **requirement}], **said)
        self.rules = rules(self.plan)
        self.state: State = start(self.plan, NOW, "old")
        self.wide = wide

    def shown(self, stable, canary, times: int = 1) -> Seen:
        rule = self.rules[0]
        window = Window(rule.measure, rule.slice, stable, canary)
        for _ in range(times):
            gained = {} if canary is None else {(CANARY, rule.measure, rule.slice): canary}
            evidence = weigh(self.state, self.rules, [window], gained, self.wide, 1.0)
            self.state = State(**{**_fields(self.state), "evidence": evidence})
        return self

    @property
    def broken(self) -> bool:
        return broken(self.plan, self.rules, self.state.evidence) is not None

    @property
    def holds(self) -> bool:
        return not unshown(self.plan, self.rules, self.state.evidence)

    @property
    def verdict(self) -> Verdict:
        return verdicts(self.plan, self.state)[0]


def _fields(state: State) -> dict:
    return {name: getattr(state, name) for name in State.__slots__}


def latency(*counts: float) -> Histogram:
    return Histogram(BUCKETS, counts)


FAST, SLOW = latency(800, 180, 19, 1, 0, 0), latency(300, 300, 300, 80, 10, 10)
STABLE_REWARDS, WORSE_REWARDS = Moments(1000, 500, 400), Moments(1000, 400, 290)
HALF, MOVED = Categories({"a": 500.0, "b": 500.0}), Categories({"a": 800.0, "b": 200.0})
RELATIVE = {"versusStable": {"margin": 0.05}}
KINDS = (
    ("errors, absolute", {"errorRate": True, "atMost": 0.02}, None, Tally(1000, 5), Tally(1000, 60)),
    ("errors, relative", {"errorRate": True, **RELATIVE}, Tally(5000, 50), Tally(1000, 10), Tally(1000, 60)),
    ("latency, absolute", {"latency": {"quantile": 0.9}, "atMost": 0.05}, None, FAST, latency(0, 0, 0, 900, 90, 10)),
    ("latency, relative", {"latency": {"quantile": 0.9}, "versusStable": {"margin": 1.5}}, FAST, FAST, SLOW),
    ("reward, absolute", {"reward": {}, "atLeast": 0.45}, None, STABLE_REWARDS, WORSE_REWARDS),
    ("a cost, absolute", {"reward": {}, "atMost": 0.45}, None, WORSE_REWARDS, STABLE_REWARDS),
    ("reward, relative", {"reward": {}, **RELATIVE}, STABLE_REWARDS, STABLE_REWARDS, WORSE_REWARDS),
    ("drift", {"predictionDrift": {"output": "y"}, "atMost": 0.1}, HALF, HALF, MOVED),
    ("drift of numbers", {"predictionDrift": {"output": "y"}, "atMost": 0.1}, FAST, FAST, SLOW),
    ("query, absolute", {"prometheus": {"query": "q"}, "atMost": 2}, None, Gauge(1.0), Gauge(3.0)),
    ("query, relative", {"prometheus": {"query": "q"}, **RELATIVE}, Gauge(1.0), Gauge(1.02), Gauge(1.2)),
)


@pytest.mark.parametrize(("requirement", "stable", "good", "bad"), [k[1:] for k in KINDS], ids=[k[0] for k in KINDS])
def test_what_is_good_is_shown_and_what_is_bad_breaks(requirement, stable, good, bad):
    seen = Seen(**requirement)
    assert not seen.holds
    assert not seen.broken
    seen.shown(stable, good, 10)
    assert seen.holds
    assert not seen.broken
    seen.shown(stable, bad, 6)
    assert seen.broken
    assert seen.verdict.broken
    other = Seen(**requirement).shown(stable, bad, 10)
    assert other.broken
    assert not other.holds
    assert sentence(other.verdict).startswith("it: ")


def test_agreement_on_mirrored_requests():
    shadow = {"shadow": {}}
    assert Seen(shadow, agreement={}, atLeast=0.95).shown(None, Tally(100, 99), 10).holds
    bad = Seen(shadow, agreement={}, atLeast=0.95).shown(None, Tally(100, 80), 3)
    assert bad.broken
    assert "20 %" in sentence(bad.verdict)
    assert "disagree" in sentence(bad.verdict)
    assert Seen(shadow, agreement={}, versusStable={"margin": 0.05}).shown(None, Tally(100, 99), 10).holds


def test_who_decides():
    bad = (None, Tally(1000, 300), 5)
    assert not Seen(errorRate=True, atMost=0.02, decides="promote").shown(*bad).broken
    assert Seen(errorRate=True, atMost=0.02, decides="rollBack").shown(*bad).broken
    assert Seen(errorRate=True, atMost=0.02, decides="rollBack").holds


@pytest.mark.parametrize(
    ("requirement", "stable", "canary"),
    [
        ({"errorRate": True, **RELATIVE}, None, Tally(10_000, 9000)),
        ({"errorRate": True, **RELATIVE}, Tally(10_000, 0), None),
        ({"latency": {}, "atMost": 0.1}, None, Tally(1000, 900)),
        ({"latency": {}, **RELATIVE}, Histogram((1.0,), (10, 5)), SLOW),
        ({"reward": {}, "atLeast": 0.9}, None, Moments(100, 500.0, 5000.0)),  # beyond the reward's range
        ({"reward": {}, "atLeast": 0.9}, None, Moments(100, 50.0, 1.0)),  # sums that no values have
        ({"predictionDrift": {"output": "y"}, "atMost": 0.1}, HALF, Tally(5, 5)),
        ({"prometheus": {"query": "q"}, "atMost": 2}, None, Tally(5, 5)),
    ],
)
def test_what_cannot_be_read_or_compared_is_no_evidence(requirement, stable, canary):
    seen = Seen(**requirement).shown(stable, canary, 20)
    assert not seen.broken
    assert not seen.holds
    assert seen.state.evidence[0].seen == 0


def test_a_bound_inside_a_bucket_favours_no_verdict():
    """All answers are between 20 and 50 ms, the bound is at 30 ms: they may all be slower, or none."""
    inside = latency(0, 0, 1000, 0, 0, 0)
    seen = Seen(latency={"quantile": 0.9}, atMost=0.03).shown(None, inside, 50)
    assert not seen.broken
    assert not seen.holds
    assert slower(inside, 0.03) == (0, 1000, 1000)
    assert slower(inside, 0.05) == (0, 0, 1000)
    assert slower(inside, 5.0) == (0, 0, 1000)


def test_a_quantile_beyond_all_buckets_is_unknown():
    assert quantile_bound(BUCKETS, (1, 0, 0, 0, 0, 99), 0.5) is None
    assert quantile_bound(BUCKETS, (50, 50, 0, 0, 0, 0), 0.5) == 0.01
    assert quantile_bound((), (), 0.5) is None


def test_weights_and_rates_that_move_together_deceive_nobody():
    """Simpson's paradox: totals say 2.8 % against 1.1 %, yet at each time both models were the same."""
    seen = Seen(errorRate=True, versusStable={"margin": 0.01})
    seen.shown(Tally(9900, 99), Tally(100, 1), 30)
    seen.shown(Tally(5000, 150), Tally(5000, 150), 30)
    assert not seen.broken
    assert seen.verdict.value == pytest.approx(0.0, abs=1e-9)
    # and the other way round: better in total, worse at each time
    hidden = Seen(errorRate=True, versusStable={"margin": 0.01})
    hidden.shown(Tally(5000, 250), Tally(100, 8), 20)
    hidden.shown(Tally(100, 1), Tally(5000, 200), 20)
    assert hidden.broken


def test_a_category_that_stable_never_had_is_drift():
    new = Categories({"a": 400.0, "b": 400.0, "c": 200.0})
    seen = Seen(predictionDrift={"output": "y"}, atMost=0.1).shown(HALF, new, 10)
    assert seen.broken
    assert seen.verdict.where == "c"


def test_more_categories_than_are_kept_are_taken_together():
    many = Categories({f"k{n}": 10.0 for n in range(200)})
    seen = Seen(predictionDrift={"output": "y"}, atMost=0.1).shown(many, many, 10)
    assert seen.holds
    assert len(seen.state.evidence[0].memory.wealth) <= 64


def test_a_query_needs_its_samples_in_a_row():
    seen = Seen(prometheus={"query": "q", "samples": 3}, atMost=2)
    seen.shown(None, Gauge(3.0), 2).shown(None, Gauge(1.0)).shown(None, Gauge(3.0), 2)
    assert not seen.broken
    assert seen.shown(None, Gauge(3.0)).broken
    assert "no error bound" in sentence(seen.verdict)


def test_the_ramp_asks_for_less_at_first():
    """A model two points worse than stable: fine where 1 % of requests go to it, not where half do."""
    lax, strict = (
        Seen(wide=25.0, errorRate=True, versusStable={"margin": 0.01}),
        Seen(errorRate=True, versusStable={"margin": 0.01}, decides="promote"),
    )
    assert lax.shown(Tally(990, 10), Tally(10, 0), 12).holds
    assert not strict.shown(Tally(990, 10), Tally(10, 0), 12).holds


def test_a_requirement_in_figures():
    seen = Seen(errorRate=True, versusStable={"margin": 0.01}).shown(Tally(900, 9), Tally(100, 3), 20)
    it = seen.verdict
    assert (it.canary, it.stable) == (pytest.approx(0.03), pytest.approx(0.01))
    assert it.value == pytest.approx(0.02)
    assert it.low < it.value < it.high
    assert it.seen == 2000
    said = sentence(it)
    assert "3 % of 2,000 requests" in said
    assert "+2 %" in said
    assert "at most +1 %" in said


def test_rewards_in_their_own_units():
    seen = Seen(reward={"least": -1.0, "most": 3.0}, atLeast=0.5).shown(None, Moments(100, 100.0, 150.0), 40)
    it = seen.verdict
    assert it.value == pytest.approx(1.0)
    assert it.bound == pytest.approx(0.5)
    assert it.low < 1.0 < it.high
    assert it.high - it.low < 0.3
    assert "at least 0.5" in sentence(it)


def test_the_bound_is_shared_by_all_that_may_roll_back():
    several = plan(requirements=[{"name": f"r{n}", "errorRate": True, "atMost": 0.02} for n in range(4)])
    assert {each.breaks_at for each in verdicts(several, start(several, NOW, "old"))} == {80.0}
    assert {each.holds_at for each in verdicts(several, start(several, NOW, "old"))} == {20.0}


def test_buckets_too_coarse_for_the_margin_are_told():
    fine, coarse = {"margin": 1.5}, {"margin": 0.2}
    told = Seen(latency={"quantile": 0.9}, versusStable=coarse).shown(FAST, FAST, 30)
    assert not told.holds
    assert "between 20 and 24 ms" in blur(told.rules[0], told.state.evidence[0].memory)
    clear = Seen(latency={"quantile": 0.9}, versusStable=fine).shown(FAST, FAST, 30)
    assert clear.holds
    assert blur(clear.rules[0], clear.state.evidence[0].memory) == ""
    beyond = Seen(latency={"quantile": 0.999}, versusStable=fine).shown(SLOW, SLOW, 3)
    assert "add buckets" in blur(beyond.rules[0], beyond.state.evidence[0].memory)

"""What people see of a rollout: shares over time, intervals on their bounds, decisions; and what machines get."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tidegate.cli.serving import read_plan, sample_request
from tidegate.cli.terminal import Terminal
from tidegate.cli.views import rollouts as view
from tidegate.rollout.actions import SetTraffic, Wait
from tidegate.rollout.advance import advance, start
from tidegate.rollout.observation import Observation, Routing, Series, Tally
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.verdicts import Verdict
from tidegate.serving.local.rollouts import read_observation, written_observation

PLAIN = Terminal(io.StringIO(), interactive=False, colour=False, width=0)
PLAN = RolloutPlan.model_validate(
    {
        "model": {"uri": "/b", "version": "b"},
        "strategy": {"canary": {"steps": [{"weight": 10}, {"weight": 50}]}},
        "requirements": [{"name": "errors", "errorRate": True, "atMost": 0.1}],
    }
)


def verdict(**changes: object) -> Verdict:
    given = {
        "name": "errors", "kind": "errors", "relative": True, "value": 0.01, "low": 0.0, "high": 0.02, "bound": 0.04,
        "stable": 0.0, "canary": 0.01, "against_good": 1.0, "breaks_at": 60.0, "against_bad": 1.0, "holds_at": 20.0,
        "seen": 100.0, "broken": False, "shown": False,
    }  # fmt: skip
    return Verdict(**{**given, **changes})  # type: ignore[arg-type]


def test_an_interval_is_drawn_with_its_value_and_its_bound() -> None:
    drawn = view.track(verdict())

    assert len(drawn) == 32 and drawn.count("●") == 1
    assert drawn.index("├") == 0 and drawn.index("●") < drawn.index("┤") < drawn.index("┃") == 31


def test_an_interval_that_reaches_over_its_bound_shows_both() -> None:
    drawn = view.track(verdict(high=0.08))

    assert drawn.index("●") < drawn.index("┃") < drawn.index("┤") == 31
    assert set(view.track(verdict(value=None))) == {"."}


def test_shares_over_time() -> None:
    assert view.spark([0, 1, 25, 50, 100]) == "·▁▂▄█"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"broken": True}, "✗ broken"),
        ({"shown": True}, "✓ shown"),
        ({"against_bad": 20.0**0.5}, "50 % of the evidence"),
        ({"against_bad": 0.01}, "0 % of the evidence"),
        ({"holds_at": None}, "open"),
    ],
)
def test_a_verdict_in_a_word(changes: dict[str, object], says: str) -> None:
    assert says in "\n".join(view.requirements([verdict(**changes)], PLAIN))


def test_without_a_terminal_only_changes_are_said() -> None:
    to = io.StringIO()
    watcher = view.Watcher("r", Terminal(to, interactive=False, colour=False, width=0), quiet=False)
    state = start(PLAN, 0.0, "/a")
    seen = Observation(Routing({"stable": 100, "canary": 0}, 0, {"stable": "/a", "canary": "/b"}, {"canary": True}))
    with watcher:
        for now in range(3):
            watcher(PLAN, state, seen, Wait("x"))
            if now == 1:
                state, action = advance(PLAN, state, seen, float(now))
                assert isinstance(action, SetTraffic)

    lines = to.getvalue().splitlines()
    assert len(lines) == 2 and "Preparing, 0 %" in lines[0] and "Progressing" in lines[1]


def test_what_was_seen_survives_the_log() -> None:
    series = (Series("canary", "errors", Tally(10, 1), 3.0, "envoy", "header:a=b", "b"),)
    seen = Observation(
        Routing({"stable": 100}, 5, {"stable": "/a"}, {"stable": True}, {"canary": "died"}), series, ("pause",)
    )

    assert read_observation(json.loads(json.dumps(written_observation(seen)))) == seen


def test_the_flights_plan_is_one() -> None:
    name, plan = read_plan(Path(__file__).parents[2] / "pipelines/flights/rollout.yaml")

    assert (
        name == "flights"
        and plan.target.local
        and [r.name for r in plan.requirements] == ["errors", "latency", "drift"]
    )


def test_a_request_is_made_of_the_trainers_sample(tmp_path: Path) -> None:
    (tmp_path / "Samples").mkdir()
    example = {"carrier": ["UA"], "hour": [5], "temp": [71.5], "late": []}
    (tmp_path / "Samples/requests.json").write_text(json.dumps({"examples": [example]}))

    made = sample_request(tmp_path)

    assert made == {
        "inputs": [
            {"name": "carrier", "datatype": "BYTES", "shape": [1, 1], "data": ["UA"]},
            {"name": "hour", "datatype": "INT64", "shape": [1, 1], "data": [5]},
            {"name": "temp", "datatype": "FP32", "shape": [1, 1], "data": [71.5]},
        ]
    }
    assert sample_request(tmp_path / "nowhere") is None

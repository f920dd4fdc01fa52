"""`tidegate rollout simulate`."""

from __future__ import annotations

import json
from xml.dom import minidom

import pytest

from tidegate.cli.main import run
from tidegate.rollout.simulation.truth import TruthError, truth

PLAN = """
apiVersion: tidegate.io/v1alpha1
kind: ModelRollout
metadata: {name: flights}
spec:
  model: {uri: m}
  strategy: {canary: {steps: [{weight: 20}, {weight: 50}]}}
  requirements:
  - {name: errors, errorRate: true, versusStable: {margin: 0.05}}
  - {name: vip, errorRate: true, atMost: 0.2, slice: {header: tier, equals: vip}}
  - {name: slow, latency: {quantile: 0.9}, atMost: 0.2}
  - {name: q, prometheus: {query: up}, atLeast: 0}
"""


@pytest.fixture
def simulate(tmp_path, capfd):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)

    def command(*args: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(["rollout", "simulate", str(path), "--interval", "20", *args])
        said = capfd.readouterr()
        return code, said.out, said.err

    return command


def test_a_table_and_plots_for_people(simulate):
    code, out, _ = simulate("-n", "12", "--canary", "error=0.5")
    assert code == 0
    assert "rolled back" in out
    assert "100.00 %" in out
    assert "false rollback 0.05" in out


def test_the_same_seed_gives_the_same_rollouts(simulate):
    first, again, other = (simulate("-n", "8", "-o", "json", "--seed", seed)[1] for seed in ("1", "1", "2"))
    assert first == again
    assert json.loads(first)["outcomes"] != json.loads(other)["outcomes"]
    assert json.loads(first)["runs"] == 8


@pytest.mark.parametrize("name", ["plot.svg", "plot.html"])
def test_a_plot_that_other_programs_read(simulate, tmp_path, name):
    code, out, _ = simulate("-n", "5", "--to", str(tmp_path / name))
    assert code == 0
    assert name in out
    text = (tmp_path / name).read_text()
    assert "share of rollouts" in text
    if name.endswith("svg"):
        assert minidom.parseString(text).documentElement.tagName == "svg"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--stable", "eror=1"], "unknown eror"),
        (["--stable", "error=x"], "expected NAME=NUMBER"),
        (["--stable", "error=2"], "share from 0 to 1"),
        (["--stable", "p99=0.1,p50=0.2"], "must be slower"),
        (["--to", "plot.png"], "neither .svg nor .html"),
    ],
)
def test_what_it_cannot_do_it_says(simulate, args, said):
    code, _, err = simulate("-n", "1", *args)
    assert code == 2
    assert said in err


def test_a_file_that_is_no_plan(tmp_path, capfd):
    (tmp_path / "p.yaml").write_text("model: {uri: m}\nrequirements: [{name: e}]")
    assert run(["rollout", "simulate", str(tmp_path / "p.yaml")]) == 2
    assert "exactly one of errorRate" in capfd.readouterr().err
    assert run(["rollout", "simulate", str(tmp_path / "none.yaml")]) == 2


def test_rates_that_change_with_the_weight():
    made = truth("error=0.01,p50=0.02,error@10=0.1,error@50=0.5,silent@50")
    assert [made.at(weight).error for weight in (0, 9, 10, 49, 50, 100)] == [0.01, 0.01, 0.1, 0.1, 0.5, 0.5]
    assert [made.at(weight).silent for weight in (10, 50)] == [False, True]
    assert made.at(50).median == pytest.approx(0.02)


def test_quantiles_as_given():
    made = truth("p50=0.02,p99=0.08")
    assert made.median == pytest.approx(0.02)
    assert made.median * 2.718281828 ** (2.3263479 * made.spread) == pytest.approx(0.08)
    with pytest.raises(TruthError):
        truth("p50=0")

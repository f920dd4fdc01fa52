"""Plans that cannot mean anything are refused where they are read, with what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from tests.rollout.playing import ERRORS
from tidegate.rollout.documents import PlanError, checked, read
from tidegate.rollout.plan import RolloutPlan

GOOD = {"model": {"uri": "m"}, "requirements": [ERRORS]}


def requirement(**said):
    return {**GOOD, "requirements": [{"name": "it", **said}]}


def canary(**said):
    return {**GOOD, "strategy": {"canary": said}}


REFUSED = (
    ({**GOOD, "model": {}}, "model.uri"),
    ({**GOOD, "modle": 1}, "modle"),
    ({**GOOD, "strategy": {}}, "exactly one of canary, blueGreen, shadow, bandit is wanted, found none"),
    ({**GOOD, "strategy": {"canary": {}, "shadow": {}}}, "found canary, shadow"),
    (canary(steps=[{"weight": 20}, {"weight": 10}]), "must grow, found 20, 10"),
    (canary(steps=[{"weight": 20}], adaptive={}), "only one of steps, adaptive"),
    (canary(adaptive={"start": 60}), "start (60) is more than most (50)"),
    (canary(steps=[{"weight": 100}]), "begin with less"),
    (canary(steps=[{"weight": 0}]), "greater than or equal to 1"),
    (requirement(), "exactly one of errorRate"),
    (requirement(errorRate=True), "exactly one of atMost, atLeast, versusStable"),
    (requirement(errorRate=True, latency={}, atMost=0.1), "found errorRate, latency"),
    (requirement(errorRate=True, atMost=0.1, versusStable={"margin": 0}), "found atMost, versusStable"),
    (requirement(errorRate=True, atLeast=0.1), "bounded by atMost, versusStable, found atLeast"),
    (requirement(errorRate=True, atMost=2), "share from 0 to 1, found 2"),
    (requirement(errorRate=True, atMost=0), "never shown"),
    (requirement(errorRate=True, atMost=float("nan")), "finite"),
    (requirement(latency={}, atMost=0), "above 0"),
    (requirement(latency={"quantile": 1}, atMost=1), "less than 1"),
    (requirement(agreement={}, atLeast=0.9), "use strategy shadow"),
    (requirement(reward={"least": 1, "most": 1}, atLeast=1), "must be below most"),
    (requirement(reward={}, atLeast=7), "outside the reward's range"),
    (requirement(errorRate=True, atMost=0.1, slice={"equals": "x"}), "exactly one of header, field"),
    ({**GOOD, "requirements": [ERRORS, ERRORS]}, "found errors more than once"),
    (
        {**requirement(errorRate=True, atMost=0.1), "target": {"local": True, "seldonDeployment": {"name": "x"}}},
        "only one",
    ),
    ({**GOOD, "bounds": {"falseRollback": 0}}, "greater than 0"),
    (
        {**GOOD, "strategy": {"bandit": {}}, "requirements": [{**ERRORS, "name": "bandit"}]},
        "cannot be named bandit",
    ),
)


@pytest.mark.parametrize(("spec", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_is_refused_and_why(spec, said):
    with pytest.raises(PlanError) as error:
        checked(spec)
    assert said in str(error.value)


def test_a_bound_of_nothing_may_still_roll_back():
    checked(requirement(errorRate=True, atMost=0, decides="rollBack"))


def test_a_document_and_its_spec_alone():
    spec = "model: {uri: m}\nrequirements: [{name: e, errorRate: true, atMost: 0.1}]\n"
    indented = "".join(f"  {line}\n" for line in spec.splitlines())
    document = (
        f"apiVersion: tidegate.io/v1alpha1\nkind: ModelRollout\nmetadata: {{name: x, namespace: y}}\nspec:\n{indented}"
    )
    assert read(spec).plan == read(document).plan
    assert (read(document).name, read(document).namespace) == ("x", "y")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("- 1", "found list"),
        ("kind: Pod\napiVersion: v1", "found v1 and Pod"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        ("kind: ModelRollout\napiVersion: tidegate.io/v1alpha1\nmetadata: 3", "p.yaml: spec"),
    ],
)
def test_what_is_no_plan(text, said):
    with pytest.raises(PlanError) as error:
        read(text, "p.yaml")
    assert said in str(error.value)
    assert str(error.value).startswith("p.yaml")


def test_every_field_is_in_the_docs():
    text = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text(encoding="utf-8")

    def named(model: type[BaseModel], path: str) -> list[str]:
        found = []
        for each in model.model_fields.values():
            here = f"{path}.{each.alias}" if path else str(each.alias)
            found += [here, *(name for inner in models(each.annotation) for name in named(inner, here))]
        return found

    def models(annotation: object) -> list[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return [annotation]
        return [model for each in get_args(annotation) for model in models(each)]

    assert [name for name in named(RolloutPlan, "") if f"`{name}`" not in text] == []

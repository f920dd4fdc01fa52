"""The CustomResourceDefinition says what the plan's types say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.operator import crd
from tidegate.rollout.state import Phase

FILE = Path(__file__).parents[2] / "manifests" / "crd" / "modelrollout.yaml"
DEFINITION = crd.definition()
(VERSION,) = DEFINITION["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]


def test_golden_crd_is_as_the_types_have_it() -> None:
    if os.environ.get("TIDEGATE_GOLDEN") == "write":
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(crd.text())
    assert FILE.read_text() == crd.text(), "manifests/crd is not current: `make golden` writes it again"
    assert yaml.safe_load(FILE.read_text()) == DEFINITION


def nodes(schema: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield at, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{at}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{at}[]")


NODES = [(at, node) for at, node in nodes(SCHEMA) if at not in ("", ".apiVersion", ".kind", ".metadata")]


def at(path: str) -> dict[str, Any]:
    return next(node for where, node in NODES if where == path)


@pytest.mark.parametrize(("where", "node"), NODES, ids=[where for where, _ in NODES])
def test_every_field_is_described_and_structural(where: str, node: dict[str, Any]) -> None:
    assert node.get("description") or where.endswith("[]")
    assert node["type"] in ("object", "array", "string", "integer", "number", "boolean")
    assert not {"$ref", "anyOf", "allOf", "oneOf", "const", "title", "default", "additionalProperties"} & set(node)
    assert not isinstance(node.get("exclusiveMinimum"), int | float) or node["exclusiveMinimum"] is True


def test_no_field_of_the_spec_is_missing() -> None:
    assert set(at(".spec")["properties"]) == {
        "model", "target", "strategy", "requirements", "bounds", "deadlines", "paused", "git",
    }  # fmt: skip
    assert at(".spec")["required"] == ["model", "target"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (".spec.strategy.canary.steps[].weight", {"minimum": 1, "maximum": 100}),
        (".spec.bounds.falseRollback", {"minimum": 0, "exclusiveMinimum": True, "exclusiveMaximum": True}),
        (".spec.requirements[].decides", {"enum": ["both", "promote", "rollBack"]}),
        (".spec.requirements", {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
        (".spec.requirements[].latency.quantile", {"description": "0.5 to 0.999. By default 0.99."}),
        (".status.state", {"x-kubernetes-preserve-unknown-fields": True}),
    ],
)
def test_bounds_and_choices_are_the_types(where: str, said: dict[str, Any]) -> None:
    node = at(where)
    assert {key: node[key] for key in said} == said


@pytest.mark.parametrize(
    ("where", "rules"), [(".spec.strategy", 1), (".spec.requirements[]", 6), (".spec.requirements[].slice", 1),
                         (".spec.target", 2), (".spec.git", 1), (".spec.strategy.canary", 1), (".spec", 1)],
)  # fmt: skip
def test_what_types_cannot_say_is_a_rule_with_a_message(where: str, rules: int) -> None:
    said = at(where)["x-kubernetes-validations"]
    assert len(said) == rules
    assert all(rule["message"] and rule["rule"] for rule in said)


def test_the_status_knows_every_phase() -> None:
    assert set(at(".status.phase")["enum"]) == {str(phase) for phase in Phase} | {"Invalid"}
    assert VERSION["subresources"] == {"status": {}}
    columns = [column["name"] for column in VERSION["additionalPrinterColumns"]]
    assert columns == ["Phase", "Target", "Model", "Canary", "Age", "Message"]

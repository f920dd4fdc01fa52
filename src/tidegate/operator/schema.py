"""The plan's types as a structural OpenAPI v3 schema, which Kubernetes checks before anything is stored. Pure.

Defaults are told in descriptions and not filled in by the API server: what is stored stays what was written, so that
Git and cluster agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.rollout.checks import BOUNDS, FITTING, MEASURES
from tidegate.rollout.plan import RolloutPlan

Schema = dict[str, Any]

_MOST_ITEMS = {"requirements": 32, "steps": 64}
"""Bounds that let the API server estimate what the rules below cost."""
_KEPT = ("type", "description", "enum", "pattern", "minimum", "maximum", "format")


def _given(*names: str) -> str:
    return "[" + ", ".join(_has(name) for name in names) + "].filter(given, given).size()"


def _has(name: str) -> str:
    field = _camel(name)
    return f"(has(self.{field}) && self.{field})" if name == "error_rate" else f"has(self.{field})"


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(_camel, names))


def _exactly_one(*names: str) -> dict[str, str]:
    return {"rule": f"{_given(*names)} == 1", "message": f"exactly one of {_listed(names)} is wanted"}


def _rules() -> dict[str, list[dict[str, str]]]:
    """What the types alone do not say (`rollout.checks` says it to Python), by type, in CEL."""
    fitting = [
        {
            "rule": f"!{_has(measure)} || {' || '.join(_has(bound) for bound in bounds)}",
            "message": f"{_camel(measure)} is bounded by one of {_listed(bounds)}",
        }
        for measure, bounds in FITTING.items()
    ]
    return {
        "Strategy": [_exactly_one("canary", "blue_green", "shadow", "bandit")],
        "Canary": [
            {
                "rule": "!(has(self.steps) && self.steps.size() > 0 && has(self.adaptive))",
                "message": "only one of steps, adaptive can be given",
            }
        ],
        "Slice": [
            {
                "rule": "(has(self.header) && self.header != '') != (has(self.field) && self.field != '')",
                "message": "exactly one of header, field is wanted",
            }
        ],
        "Requirement": [_exactly_one(*MEASURES), _exactly_one(*BOUNDS), *fitting],
        "Target": [
            {
                "rule": "has(self.seldonDeployment) && !(has(self.local) && self.local)",
                "message": "in a cluster, seldonDeployment says where the model is served",
            },
            {
                "rule": "self.seldonDeployment.name == oldSelf.seldonDeployment.name",
                "message": "a rollout keeps its target: make another ModelRollout for another one",
            },
        ],
        "Git": [
            {
                "rule": "!self.path.startsWith('/') && !self.path.split('/').exists(part, part == '..')",
                "message": "path stays inside the repository",
            }
        ],
        "RolloutPlan": [
            {
                "rule": "!has(self.requirements) || !self.requirements.exists(one, has(one.agreement))",
                "message": "agreement is compared where tidegate serves both models itself; "
                "Seldon's shadow drops its answers: require predictionDrift instead",
            }
        ],
    }


def spec_schema() -> Schema:
    """Of a ModelRollout's spec."""
    whole = RolloutPlan.model_json_schema(by_alias=True)
    made = _structural(whole, whole.get("$defs", {}), "spec", "RolloutPlan")
    made["required"] = sorted({*made["required"], "target"})
    return made


def _structural(said: Mapping[str, Any], types: Mapping[str, Any], name: str, kind: str = "") -> Schema:
    """One node, with what it refers to put in its place and what Kubernetes refuses left out."""
    said, kind = _resolved(said, types, kind)
    made: Schema = {key: said[key] for key in _KEPT if key in said}
    if "const" in said:
        made["enum"] = [said["const"]]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in said:
            made[limit], made[bound] = said[bound], True
    if said.get("default") not in (None, "", False, [], {}) and not isinstance(said["default"], dict):
        made["description"] = f"{made.get('description', '')} By default {said['default']}.".strip()
    if said.get("type") == "string" and "enum" not in made:
        made.setdefault("maxLength", 2048)
    if "items" in said:
        made["items"] = _structural(said["items"], types, name)
        made["maxItems"] = _MOST_ITEMS[name]
        if name == "requirements":
            made |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    if "properties" in said:
        made["properties"] = {key: _structural(value, types, key) for key, value in said["properties"].items()}
        made["required"] = sorted(said.get("required", []))
        if not made["required"]:
            del made["required"]
        if rules := _rules().get(kind):
            made["x-kubernetes-validations"] = rules
    return made


def _resolved(said: Mapping[str, Any], types: Mapping[str, Any], kind: str) -> tuple[Mapping[str, Any], str]:
    """Follows references, and `X or null`; the field's own description and default win over its type's."""
    own = {key: said[key] for key in ("description", "default") if key in said}
    while True:
        if "$ref" in said:
            kind = said["$ref"].rpartition("/")[2]
            said = types[kind]
        elif "anyOf" in said:
            (said,) = (option for option in said["anyOf"] if option.get("type") != "null")
        elif "allOf" in said:
            (said,) = said["allOf"]
        else:
            return {**said, **own}, kind

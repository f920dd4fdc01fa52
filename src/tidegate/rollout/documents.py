"""Plan files: a ModelRollout as kubectl takes it, or its spec alone, in YAML or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from tidegate.rollout.plan import RolloutPlan

API_VERSION, KIND = "tidegate.io/v1alpha1", "ModelRollout"


class PlanError(ValueError):
    """A file that is no plan; the message has a line for each thing to mend."""


@dataclass(frozen=True, slots=True)
class Document:
    """A plan and what it is called."""

    plan: RolloutPlan
    name: str = ""
    namespace: str = ""


def read(text: str, where: str = "the plan") -> Document:
    """A plan file's content; `where` is how errors name the file. Raises: PlanError."""
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PlanError(f"{where}: not YAML: {error}") from error
    if not isinstance(said, Mapping):
        raise PlanError(f"{where}: expected a {KIND} or its spec, found {type(said).__name__}")
    if "kind" not in said and "apiVersion" not in said:
        return Document(checked(said, where))
    found = said.get("apiVersion"), said.get("kind")
    if found != (API_VERSION, KIND):
        raise PlanError(f"{where}: expected apiVersion {API_VERSION} and kind {KIND}, found {found[0]} and {found[1]}")
    metadata = said.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    plan = checked(said.get("spec"), f"{where}: spec")
    return Document(plan, str(metadata.get("name", "")), str(metadata.get("namespace", "")))


def checked(spec: Any, where: str = "spec") -> RolloutPlan:
    """A spec as a plan. Raises: PlanError."""
    try:
        return RolloutPlan.model_validate(spec)
    except ValidationError as error:
        lines = [f"{where}: {len(error.errors())} to mend"]
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            place = ".".join(map(str, each["loc"])) or "spec"
            lines.append(f"{place}: {each['msg'].removeprefix('Value error, ')}")
        raise PlanError("\n".join(lines)) from error

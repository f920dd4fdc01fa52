"""What a plan must be beyond the types of its fields. Each message says what was found and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from tidegate.rollout.plan import Requirement, RolloutPlan

MEASURES = ("error_rate", "latency", "reward", "prediction_drift", "agreement", "prometheus")
BOUNDS = ("at_most", "at_least", "versus_stable")
FITTING = {
    "error_rate": ("at_most", "versus_stable"),
    "latency": ("at_most", "versus_stable"),
    "prediction_drift": ("at_most", "versus_stable"),
    "agreement": ("at_least", "versus_stable"),
}
"""Which bounds make sense for a measure; for the others all do."""


def exactly_one(said: BaseModel, *names: str) -> str:
    """The name of the one field that is given. Raises: ValueError."""
    given = _given(said, names)
    if len(given) != 1:
        raise ValueError(f"exactly one of {_listed(names)} is wanted, found {_listed(given) or 'none'}")
    return given[0]


def one_at_most(said: BaseModel, *names: str) -> None:
    """Raises: ValueError where more than one field is given."""
    if len(given := _given(said, names)) > 1:
        raise ValueError(f"only one of {_listed(names)} can be given, found {_listed(given)}")


def requirement(said: Requirement) -> None:
    """One measure, one bound that fits it, and a bound that evidence can show. Raises: ValueError."""
    measure, bound = exactly_one(said, *MEASURES), exactly_one(said, *BOUNDS)
    fitting = FITTING.get(measure, BOUNDS)
    if bound not in fitting:
        raise ValueError(f"{to_camel(measure)} is bounded by {_listed(fitting)}, found {to_camel(bound)}")
    value = said.at_most if said.at_most is not None else said.at_least
    if value is None:
        return
    if measure in ("error_rate", "prediction_drift", "agreement") and not 0 <= value <= 1:
        raise ValueError(f"{to_camel(bound)} is a share from 0 to 1, found {value:g}")
    if measure == "latency" and value <= 0:
        raise ValueError(f"atMost is in seconds and above 0, found {value:g}")
    if said.decides != "rollBack" and value == {"error_rate": 0, "prediction_drift": 0, "agreement": 1}.get(measure):
        raise ValueError(
            f"{to_camel(bound)} {value:g} can be broken but never shown: no number of requests proves that there is "
            "none in a million; allow a little, or let it only decide: rollBack"
        )
    if said.reward and not said.reward.least <= value <= said.reward.most:
        raise ValueError(f"{to_camel(bound)} {value:g} is outside the reward's range")


def plan(said: RolloutPlan) -> None:
    """Names that tell requirements apart, and requirements that can get evidence. Raises: ValueError."""
    names = [each.name for each in said.requirements]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"requirements need different names, found {_listed(twice)} more than once")
    if said.strategy.bandit and "bandit" in names:
        raise ValueError("a requirement cannot be named bandit beside a bandit's own: give it another name")
    mirrored = said.strategy.shadow or (said.strategy.blue_green and said.strategy.blue_green.mirror)
    for each in said.requirements:
        if each.agreement and not mirrored:
            raise ValueError(
                f"requirement {each.name}: answers are compared where requests are mirrored only; "
                "use strategy shadow, or blueGreen with a mirror"
            )
    canary = said.strategy.canary
    if canary and canary.steps and canary.steps[0].weight == 100:
        compared = [each.name for each in said.requirements if each.versus_stable and each.decides != "rollBack"]
        if compared:
            raise ValueError(
                f"a first step of 100 % leaves the stable model no requests to compare {_listed(compared)} with; "
                "begin with less"
            )


def _given(said: BaseModel, names: tuple[str, ...]) -> tuple[str, ...]:
    empty = {name: getattr(said, name) in (None, "", ()) or getattr(said, name) is False for name in names}
    return tuple(name for name in names if not empty[name])


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(to_camel(name) for name in names)

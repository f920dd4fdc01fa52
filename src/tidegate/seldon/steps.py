"""From an action to the next change of the SeldonDeployment: one patch at a time, each safe to stop after. Pure.

An action takes several turns where Seldon needs several (a weight, then the removal); what is in force, not what was
asked for, says which is next, so nothing need be remembered between turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from tidegate.rollout.actions import Drop, Prepare, Promote, SetTraffic
from tidegate.rollout.observation import CANARY, STABLE
from tidegate.rollout.ports import PortError
from tidegate.seldon.predictors import Predictor, Served, canary_name, canary_of, model_of, with_model, with_traffic
from tidegate.seldon.seen import OWNED, Seen, note

Operation = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """The predictors as they should be next."""

    predictors: Sequence[Predictor]
    owned: bool = True
    """The rollout goes on after it; False: it lets go of the SeldonDeployment."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to change now."""

    reason: str
    """Empty: the action is done."""


Step = Change | Waiting
DONE = Waiting("")


def next_step(seen: Seen, action: Prepare | SetTraffic | Promote | Drop) -> Step:
    """What brings the action one step further. Raises: PortError where it cannot be done."""
    match action:
        case Prepare():
            return _prepare(seen, Served(action.uri, action.digest, action.version))
        case SetTraffic():
            return _set_traffic(seen, action)
        case Promote():
            return _promote(seen, Served(action.uri, action.digest, action.version))
        case Drop():
            return _drop(seen, action.emergency)
    assert_never(action)


def patch(seen: Seen, change: Change) -> list[Operation]:
    """JSON Patch (RFC 6902): refused as a whole where anybody changed the predictors since they were read."""
    operations: list[Operation] = [
        {"op": "test", "path": "/spec/predictors", "value": seen.predictors},
        {"op": "replace", "path": "/spec/predictors", "value": list(change.predictors)},
    ]
    annotations = seen.deployment["metadata"].get("annotations")
    path = "/metadata/annotations/" + OWNED.replace("~", "~0").replace("/", "~1")
    if change.owned:
        text = note(seen, change.predictors)
        operations.append(
            {"op": "add", "path": path, "value": text}
            if annotations is not None
            else {"op": "add", "path": "/metadata/annotations", "value": {OWNED: text}}
        )
    elif OWNED in (annotations or {}):
        operations.append({"op": "remove", "path": path})
    return operations


def _prepare(seen: Seen, model: Served) -> Step:
    canary = seen.canary
    if canary is not None and canary["name"] == canary_name(model):
        return DONE
    if canary is not None:  # another model's: it goes first
        return _drop(seen, emergency=False, owned=True)
    if any((d["metadata"].get("labels") or {}).get("version") == canary_name(model) for d in seen.deployments):
        return Waiting(f"the Deployment of an earlier {canary_name(model)} still ends; added now it would seem Failed")
    return Change([*_replaced(seen, with_traffic(seen.stable, 100)), canary_of(seen.stable, model, seen.container)])


def _set_traffic(seen: Seen, action: SetTraffic) -> Step:
    weight = action.weights.get(CANARY, 0)
    if weight + action.weights.get(STABLE, 0) != 100 or not 0 <= weight <= 100:
        raise PortError(f"weights: expected per cent that sum to 100, found {dict(action.weights)}", again=False)
    if weight and action.mirror:
        raise PortError("Seldon's shadow answers no requests: expected a weight or a mirror, found both", again=False)
    canary = seen.canary
    if canary is None:
        if not weight and not action.mirror:
            return DONE
        raise PortError("the canary predictor is not there: it must be prepared before it gets requests")
    if action.mirror:
        return _mirror(seen, canary, action.mirror)
    if canary.get("shadow"):  # its pods restart; they get requests when they are ready again
        return Change(_replaced(seen, with_traffic(seen.stable, 100), with_traffic(canary, 0)))
    return _weigh(seen, canary, weight)


def _mirror(seen: Seen, canary: Predictor, percent: int) -> Step:
    if canary.get("shadow") and canary.get("traffic") == percent:
        return DONE if seen.mirrored == percent else Waiting(seen.frozen or "Seldon has yet to mirror")
    if not canary.get("shadow") and seen.weight(canary):
        return _weigh(seen, canary, 0)
    return Change(_replaced(seen, with_traffic(seen.stable, 100), with_traffic(canary, percent, shadow=True)))


def _weigh(seen: Seen, canary: Predictor, weight: int) -> Step:
    """To the canary `weight` per cent. More only when it is ready and Seldon would really do it: a weight that lies
    frozen comes in force later, unasked, and a weight before the model sends requests to the model before.
    """
    there, rest = seen.weight(canary), 100 - weight - _others(seen)
    if canary.get("traffic", 0) == weight and seen.stable.get("traffic", 0) == rest:
        return DONE if there == weight else Waiting(seen.frozen or "Seldon has yet to put the weights in force")
    if weight > there:
        if seen.frozen:
            return Waiting(f"no more requests to the canary: {seen.frozen}")
        if not seen.ready(canary):
            return Waiting("no more requests to the canary: it is not ready")
    return Change(_replaced(seen, with_traffic(seen.stable, rest), with_traffic(canary, weight)))


def _drop(seen: Seen, emergency: bool, owned: bool = False) -> Step:
    """Without requests first, then away; at once where it is sick, since its weight would not change."""
    canary = seen.canary
    alone = Change(_replaced(seen, with_traffic(seen.stable, 100 - _others(seen)), gone=canary), owned)
    if canary is None:
        return alone if seen.owned and not owned else DONE
    if emergency or seen.frozen or canary.get("shadow") or not seen.weight(canary):
        return alone
    return _weigh(seen, canary, 0)


def _replaced(seen: Seen, *new: Predictor, gone: Predictor | None = None) -> list[Predictor]:
    """The predictors with some replaced; those that somebody else added stay as they are."""
    named = {predictor["name"]: predictor for predictor in new}
    return [named.get(predictor["name"], predictor) for predictor in seen.predictors if predictor is not gone]


def _others(seen: Seen) -> int:
    """Per cent of requests of predictors that are not the rollout's: they keep them."""
    mine = (seen.stable["name"], seen.canary["name"] if seen.canary is not None else "")
    return sum(int(p.get("traffic") or 0) for p in seen.predictors if p["name"] not in mine and not p.get("shadow"))


def _promote(seen: Seen, model: Served) -> Step:
    """The canary takes all requests while the stable predictor changes its model in place (it stays the first: were it
    removed, ports that go by position would move and all pods restart), then gives them back and goes.
    """
    canary, stable = seen.canary, seen.stable
    promoted = model_of(stable, seen.container) == model.uri
    if canary is not None and not canary.get("shadow") and model_of(canary, seen.container) != model.uri:
        raise PortError(f"the canary serves {model_of(canary, seen.container)}, expected {model.uri}")
    if canary is not None and seen.weight(canary) and not seen.available(canary):
        return _drop(seen, emergency=True, owned=True)  # the stable one answers, with the model that it has
    if not promoted:
        if canary is not None and not canary.get("shadow") and seen.weight(canary) < 100:
            return _weigh(seen, canary, 100)
        return Change(_replaced(seen, with_model(stable, model, seen.container)))
    if not seen.ready(stable):
        return Waiting(f"the stable predictor takes {model.named}")
    return _drop(seen, emergency=False)


def describe(step: Step) -> str:
    """For logs: the predictors and their traffic, or what is waited for."""
    if isinstance(step, Waiting):
        return step.reason or "done"
    shares = [(p["name"], p.get("traffic", 0), " (shadow)" if p.get("shadow") else "") for p in step.predictors]
    return ", ".join(f"{name}={traffic}{shadow}" for name, traffic, shadow in shares)

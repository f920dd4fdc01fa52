"""How a new model's traffic grows, by strategy: what it begins with, and what follows once it may go on."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from tidegate.rollout import bandit
from tidegate.rollout.plan import Adaptive, Canary, RolloutPlan, Step
from tidegate.rollout.state import Phase, State


def first(plan: RolloutPlan) -> tuple[int, int]:
    """Weight and mirror that the trial begins with."""
    strategy = plan.strategy
    if strategy.blue_green:
        return 0, strategy.blue_green.mirror
    if strategy.shadow:
        return 0, strategy.shadow.percent
    if strategy.bandit:
        return bandit.clipped(50, strategy.bandit), 0
    canary = strategy.canary or Canary()
    return (canary.steps[0].weight if canary.steps else _adaptive(canary).start), 0


def laxity(plan: RolloutPlan, state: State) -> float:
    """How much laxer than its bound a requirement may be tested before the next weight; 1: not at all.

    The adaptive ramp goes on to the next weight, w, once the evidence refutes `worse by margin x most / w or more` at
    level beta. So what is tolerated, weight x excess, stays that of a model that is worse by the margin at the
    highest weight: a model whose excess is d gets to a weight w with w x d >= most x margin with probability at most
    beta. Proof: to get to the first such w, that very hypothesis, which is true, has to be refuted; and to get to any
    larger weight it has to get to that one first, so that nothing adds up over the steps.
    """
    following = next_weight(plan, state)
    canary = plan.strategy.canary
    if canary is None or canary.steps or following is None:
        return 1.0
    return max(_adaptive(canary).most / following, 1.0)


def next_weight(plan: RolloutPlan, state: State) -> int | None:
    """The weight after this one; None: what follows is promotion."""
    canary = plan.strategy.canary
    if canary is None:
        return None
    if canary.steps:
        return canary.steps[state.step + 1].weight if state.step + 1 < len(canary.steps) else None
    ramp = _adaptive(canary)
    if state.weight >= ramp.most:
        return None
    return min(max(state.weight + 1, ceil(state.weight * ramp.growth)), ramp.most)


def step(plan: RolloutPlan, state: State) -> Step:
    """What the present weight asks for before the next: least time and requests."""
    strategy = plan.strategy
    if strategy.canary and strategy.canary.steps:
        return strategy.canary.steps[min(state.step, len(strategy.canary.steps) - 1)]
    if strategy.blue_green:
        return Step(weight=100, min_seconds=strategy.blue_green.preview_seconds)
    return _ONWARD


def onward(state: State, following: int) -> State:
    """At the next weight; it counts from when it is seen in force."""
    return replace(state, step=state.step + 1, weight=following, entered=None, began=state.age)


def verdict(plan: RolloutPlan) -> tuple[Phase, Phase]:
    """The phase and the outcome that follow once every requirement is shown to hold."""
    strategy = plan.strategy
    if strategy.blue_green:
        return Phase.SWITCHED, Phase.PROMOTED
    if strategy.shadow and strategy.shadow.then == "report":
        return Phase.ROLLING_BACK, Phase.REPORTED
    return Phase.RECORDING, Phase.PROMOTED


def _adaptive(canary: Canary) -> Adaptive:
    return canary.adaptive or _RAMP


_ONWARD, _RAMP = Step(weight=100), Adaptive()

"""Verdicts in sentences: what the command line, Events and commit messages say."""

from __future__ import annotations

from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.rules import Rule, rules
from tidegate.rollout.state import State


def explain(plan: RolloutPlan, state: State) -> list[str]:
    """Where the rollout stands and why, then one sentence for each requirement."""
    return [f"{state.phase}: {state.reason}", *(of(plan, state, rule) for rule in rules(plan))]


def of(plan: RolloutPlan, state: State, rule: Rule) -> str:
    """One requirement's sentence."""
    at = next((at for at, each in enumerate(state.evidence) if each.name == rule.name), None)
    if at is None:
        return rule.name
    seen, e = state.evidence[at].seen, sum(state.evidence[at].back)
    return f"{rule.name} ({seen:.0f} requests, e-value {e:.3g}; {plan.bounds.false_rollback:g} may be wrong)"

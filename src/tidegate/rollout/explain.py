"""Verdicts in sentences: what the command line, Events and commit messages say."""

from __future__ import annotations

from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.rules import Rule
from tidegate.rollout.state import State
from tidegate.rollout.verdicts import Verdict, verdicts


def explain(plan: RolloutPlan, state: State) -> list[str]:
    """Where the rollout stands and why, then one sentence for each requirement."""
    heading = f"{state.phase}: {state.reason}" if state.reason else str(state.phase)
    return [heading, *(sentence(each) for each in verdicts(plan, state))]


def of(plan: RolloutPlan, state: State, rule: Rule) -> str:
    """One requirement's sentence."""
    return next((sentence(each) for each in verdicts(plan, state) if each.name == rule.name), rule.name)


def sentence(verdict: Verdict) -> str:
    """`errors: 3.10 % of 4,210 requests, +2.10 % (1.20 % to 3.00 %) against stable's 1.00 %, at most +1.00 %; ...`"""
    if verdict.value is None:
        return f"{verdict.name}: nothing to compare yet after {verdict.seen:,.0f} {_things(verdict)}"
    parts = [f"{verdict.name}: {_value(verdict)}", _bound(verdict)]
    if verdict.kind == "query":
        return ", ".join(parts) + "; no error bound is stated for a query"
    tests = []
    if verdict.breaks_at is not None:
        tests.append(f"{_number(verdict.against_good)} of {_number(verdict.breaks_at)} to roll back")
    if verdict.holds_at is not None:
        tests.append(f"{_number(verdict.against_bad)} of {_number(verdict.holds_at)} to go on")
    return ", ".join(parts) + (f"; e-values {', '.join(tests)}" if tests else "")


def _value(verdict: Verdict) -> str:
    seen = f"of {verdict.seen:,.0f} {_things(verdict)}"
    interval = ""
    if verdict.low is not None and verdict.high is not None:
        interval = f" ({_amount(verdict, verdict.low)} to {_amount(verdict, verdict.high)})"
    if verdict.kind == "query":
        return _amount(verdict, verdict.value)
    if verdict.kind == "drift":
        where = f" at {verdict.where}" if verdict.where else ""
        return f"shares differ by up to {_amount(verdict, verdict.value)}{interval}{where}, {seen}"
    what = {"latency": " slower than the bound", "agreement": " disagree"}.get(verdict.kind, "")
    quantile = f", quantile {1000 * verdict.quantile:g} ms" if verdict.quantile is not None else ""
    if not verdict.relative:
        return f"{_amount(verdict, verdict.value)}{interval} {seen}{what}{quantile}"
    return (
        f"{_amount(verdict, verdict.canary)} {seen}{what}{quantile}, {_amount(verdict, verdict.value, signed=True)}"
        f"{interval} against stable's {_amount(verdict, verdict.stable)}"
    )


def _bound(verdict: Verdict) -> str:
    word = "at least" if verdict.at_least else "at most"
    return f"{word} {_amount(verdict, verdict.bound, signed=verdict.relative and verdict.kind != 'drift')}"


def _amount(verdict: Verdict, value: float | None, signed: bool = False) -> str:
    if value is None:
        return "unknown"
    sign = "+" if signed and value > 0 else ""
    return sign + (f"{value:.4g}" if verdict.kind in ("reward", "query") else f"{100 * value:.3g} %")


def _things(verdict: Verdict) -> str:
    return {"reward": "rewards", "agreement": "compared answers", "drift": "answers"}.get(verdict.kind, "requests")


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1e6 else "over 1,000,000"

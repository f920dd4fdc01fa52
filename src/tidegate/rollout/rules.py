"""Each requirement as what is tested: a share, a mean, a distribution or a query, and the bound it is held against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from tidegate.rollout.plan import Requirement, RolloutPlan, Slice

SHARE_UNIT, MEAN_UNIT = 0.01, 0.05
"""What the ramp widens by where a margin is 0: a share of requests, a share of a reward's range."""
BANDIT = "bandit"
"""The name of the requirement that a bandit adds: which model earns more."""

Kind = Literal["errors", "latency", "agreement", "reward", "drift", "query"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A requirement in the units of its test. Shares are of bad requests (errors, slow, disagreeing)."""

    name: str
    kind: Kind
    measure: str
    slice: str
    relative: bool
    """Held against the stable model at the same time."""
    bound: float
    """Absolute: the largest good share (the least good mean; a query's bound). Relative: the margin."""
    rolls_back: bool
    promotes: bool
    quantile: float = 0.0
    """Of latencies."""
    seconds: float = 0.0
    """Absolute latency: the bound of the quantile."""
    slower: float = 0.0
    """Relative latency: the factor less one."""
    low: float = 0.0
    high: float = 1.0
    """A reward's range."""
    sign: int = 1
    """-1: smaller is better (rewards, queries)."""
    samples: int = 1

    @property
    def bounded(self) -> bool:
        """Whether an error bound can be stated."""
        return self.kind != "query"

    def widened(self, factor: float) -> float:
        """The bound (or margin) `factor` times as lax: what the ramp tests before the next weight."""
        if factor <= 1:
            return self.bound
        if self.kind == "reward":
            loose = self.bound * factor if self.relative and self.bound > 0 else self.bound + MEAN_UNIT * (factor - 1)
            return loose if self.relative else self.bound - self.sign * MEAN_UNIT * (factor - 1)
        if self.kind == "latency" and self.relative:
            return (1 - self.quantile) * (factor - 1)
        return self.bound * factor if self.bound > 0 else SHARE_UNIT * (factor - 1)


def rules(plan: RolloutPlan) -> tuple[Rule, ...]:
    """One for each requirement, in order; a bandit's own comes last."""
    found = tuple(rule(each) for each in plan.requirements)
    bandit = plan.strategy.bandit
    if bandit is None:
        return found
    same = [each for each in found if each.kind == "reward" and each.measure == f"reward/{bandit.reward}"]
    like = same[0] if same else Rule(BANDIT, "reward", f"reward/{bandit.reward}", "", True, 0.0, True, True)
    scale = like.high - like.low
    own = replace(
        like, name=BANDIT, slice="", relative=True, bound=-bandit.margin / scale, rolls_back=True, promotes=True
    )
    return (*found, own)


def rule(requirement: Requirement) -> Rule:
    """What is tested of one requirement."""
    relative = requirement.versus_stable is not None
    margin = requirement.versus_stable.margin if requirement.versus_stable else 0.0
    most, least = requirement.at_most, requirement.at_least
    given = most if most is not None else least if least is not None else 0.0
    made = partial(
        Rule, requirement.name, slice=slice_key(requirement.slice), rolls_back=requirement.decides != "promote",
        promotes=requirement.decides != "rollBack",
    )  # fmt: skip
    if latency := requirement.latency:
        share = 1 - latency.quantile
        return made(
            kind="latency", measure="latency", relative=relative, bound=0.0 if relative else share,
            quantile=latency.quantile, seconds=0.0 if relative else given, slower=margin,
        )  # fmt: skip
    if requirement.agreement:
        bound = margin if relative else 1 - given
        return made(kind="agreement", measure="agreement", relative=False, bound=bound)
    bound = margin if relative else given
    if drift := requirement.prediction_drift:
        return made(kind="drift", measure=f"prediction/{drift.output}", relative=True, bound=bound)
    sign = -1 if most is not None else 1
    if query := requirement.prometheus:
        sign = -1 if relative else sign
        measure = f"query/{requirement.name}"
        return made(kind="query", measure=measure, relative=relative, bound=bound, samples=query.samples, sign=sign)
    if reward := requirement.reward:
        low, high = reward.least, reward.most
        bound = margin / (high - low) if relative else (given - low) / (high - low)
        measure = f"reward/{reward.name}"
        return made(kind="reward", measure=measure, relative=relative, bound=bound, low=low, high=high, sign=sign)
    return made(kind="errors", measure="errors", relative=relative, bound=bound)


def slice_key(part: Slice | None) -> str:
    """As `Series.slice` has it."""
    if part is None:
        return ""
    return f"header:{part.header}={part.equals}" if part.header else f"field:{part.field}={part.equals}"

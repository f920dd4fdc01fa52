"""From intervals to verdicts: noise neither blesses nor blocks. Pure.

at_least b   holds where low >= b, fails where high < b, else undecided      (at_most: mirrored)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tidegate.components.evaluator.intervals import Interval
from tidegate.components.evaluator.requirements import Requirement, Requirements

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"


@dataclass(frozen=True, slots=True)
class Gap:
    """The gap of a metric between the slices of one feature."""

    metric: str
    feature: str
    best_slice: str
    worst_slice: str
    gap: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """One requirement, judged; blessing.json holds these."""

    metric: str
    slice: str
    against: str
    value: float | None
    low: float | None
    high: float | None
    bound: float
    kind: str
    verdict: str
    reason: str
    blocks: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(requirement: Requirement, wanted: Requirements, where: str, found: Interval | None, why: str = "") -> Verdict:
    """`found` None: nothing could be measured, and `why` says why."""
    verdict, reason = _decide(requirement, found, why)
    policy = requirement.undecided or wanted.undecided
    return Verdict(
        metric=requirement.metric,
        slice=where,
        against=requirement.against,
        value=found.value if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        bound=requirement.bound,
        kind=("change_" if requirement.against else "") + requirement.kind,
        verdict=verdict,
        reason=reason + (f"; undecided {policy}es" if verdict == UNDECIDED else "").replace("blockes", "blocks"),
        blocks=verdict == FAILS or (verdict == UNDECIDED and policy == "block"),
    )


def no_baseline(requirement: Requirement, where: str) -> Verdict:
    """The first model has nothing to be worse than."""
    reason = "there is no blessed model yet to compare with"
    kind = f"change_{requirement.kind}"
    return Verdict(
        requirement.metric, where, requirement.against, None, None, None, requirement.bound, kind, HOLDS, reason, False
    )


def _decide(requirement: Requirement, found: Interval | None, why: str) -> tuple[str, str]:
    if found is None:
        return UNDECIDED, why
    least = requirement.kind == "at_least"
    low, high, bound = found.low, found.high, requirement.bound
    what = "change" if requirement.against else "gap" if requirement.gap_over else "value"
    shown = f"{what} {number(found.value)} ({number(low)} to {number(high)})"
    side = "at least" if least else "at most"
    if (low >= bound) if least else (high <= bound):
        return HOLDS, f"{shown} is {side} {number(bound)}"
    if (high < bound) if least else (low > bound):
        return FAILS, f"{shown} is not {side} {number(bound)}"
    return UNDECIDED, f"{shown} has {number(bound)} in it: too few examples to tell"


def number(value: float) -> str:
    return f"{value:.4g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.2g}"


def gap(metric: str, feature: str, slices: Mapping[str, Interval]) -> Gap | None:
    """The gap between the highest and the lowest slice; `slices` hold intervals that are right all together.

    If every slice's true value is in its interval, the true gap is at least (highest low - lowest high) and at most
    (highest high - lowest low); so the gap's interval has the confidence that the intervals have together.
    """
    if len(slices) < 2:
        return None
    best = max(slices, key=lambda s: slices[s].value)
    worst = min(slices, key=lambda s: slices[s].value)
    return Gap(
        metric,
        feature,
        best,
        worst,
        slices[best].value - slices[worst].value,
        max(0.0, max(i.low for i in slices.values()) - min(i.high for i in slices.values())),
        max(i.high for i in slices.values()) - min(i.low for i in slices.values()),
    )


def together(confidence: float, slices: int) -> float:
    """Sidak: the confidence of each of so many independent intervals that all hold together with `confidence`."""
    return float(confidence ** (1 / max(slices, 1)))


def table(verdicts: list[Verdict], show: Callable[[str], None]) -> None:
    """The blessing, for the log."""
    for v in verdicts:
        name = (
            v.metric
            + (f" [{v.slice}]" if v.slice != "overall" else "")
            + (f" against {v.against}" if v.against else "")
        )
        show(f"  {v.verdict:<9} {name}: {v.reason}")

"""Fixed-threshold analysis as Argo Rollouts and Flagger do it, deciding on the very requests that tidegate decides on.

Settings are those of their own documentation; success rates are of the new model over the last window, as their
Prometheus queries read them. The threshold stands where it can do best: half-way between a good model and one that is
worse by the margin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.rollout.actions import Action, Drop, Prepare, Promote, SetTraffic, Wait
from tidegate.rollout.observation import CANARY, STABLE, Histogram, Observation, Tally
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.state import Phase, State


@dataclass
class _Fixed:
    """What both share: the new model comes up, its error rate over the last window, how it ends."""

    least: float
    """Smallest success rate that passes."""
    slowest: float
    """Largest 99th percentile of latency that passes, in seconds."""
    weight: int = 0
    failed: int = 0
    checked: float = 0.0
    counted: tuple[float, float] = (0.0, 0.0)
    buckets: tuple[float, ...] = ()

    def __call__(self, plan: RolloutPlan, state: State, seen: Observation, now: float) -> tuple[State, Action]:
        if state.phase is Phase.PREPARING:
            if CANARY not in seen.routing.models:
                return replace(state, clock=now), Prepare(plan.model.uri)
            self.checked = now
            self.weight = self.first()
            return replace(state, phase=Phase.PROGRESSING, clock=now), self._traffic()
        return self.looked(state, seen, now)

    def first(self) -> int:
        raise NotImplementedError

    def looked(self, state: State, seen: Observation, now: float) -> tuple[State, Action]:
        raise NotImplementedError

    def passes(self, seen: Observation) -> bool | None:
        """Whether the last window's success rate and latency pass; None: there was no request."""
        values = {s.measure: s.value for s in seen.series if s.role == CANARY}
        errors, latency = values.get("errors"), values.get("latency")
        if not isinstance(errors, Tally) or not isinstance(latency, Histogram):
            return None
        total, bad = errors.total - self.counted[0], errors.hits - self.counted[1]
        before = self.buckets or (0.0,) * len(latency.counts)
        window = [now - then for now, then in zip(latency.counts, before, strict=True)]
        self.counted, self.buckets = (errors.total, errors.hits), latency.counts
        return None if total <= 0 else 1 - bad / total >= self.least and _p99(latency.bounds, window) <= self.slowest

    def _traffic(self) -> SetTraffic:
        return SetTraffic({STABLE: 100 - self.weight, CANARY: self.weight})


@dataclass
class Argo(_Fixed):
    """Steps of 20 % with pauses of 10 minutes; in the background an AnalysisRun: interval 5m, failureLimit 3 (the
    example of Argo Rollouts' documentation, analysis.md). More failures than the limit abort; no data is an error, and
    more than four in a row (consecutiveErrorLimit) abort as well.
    """

    pause: float = 600.0
    interval: float = 300.0
    limit: int = 3
    stepped: float = 0.0
    errors: int = 0

    def first(self) -> int:
        return 20

    def looked(self, state: State, seen: Observation, now: float) -> tuple[State, Action]:
        self.stepped = self.stepped or self.checked
        if now - self.checked >= self.interval:
            self.checked = now
            passed = self.passes(seen)
            self.errors = self.errors + 1 if passed is None else 0
            self.failed += passed is False
            if self.failed > self.limit or self.errors > 4:
                return replace(state, phase=Phase.ROLLED_BACK, clock=now), Drop()
        if now - self.stepped < self.pause:
            return replace(state, clock=now), Wait("")
        self.stepped, self.weight = now, self.weight + 20
        if self.weight >= 100:
            return replace(state, phase=Phase.PROMOTED, clock=now), Promote(state.uri)
        return replace(state, clock=now), self._traffic()


@dataclass
class Flagger(_Fixed):
    """interval 1m, threshold 5, stepWeight 10, maxWeight 50 (the example of Flagger's documentation): a check that
    fails holds the weight, five failed ones roll back. No data counts as failed.
    """

    interval: float = 60.0
    threshold: int = 5
    most: int = 50

    def first(self) -> int:
        return 10

    def looked(self, state: State, seen: Observation, now: float) -> tuple[State, Action]:
        if now - self.checked < self.interval:
            return replace(state, clock=now), Wait("")
        self.checked = now
        if not self.passes(seen):
            self.failed += 1
            if self.failed >= self.threshold:
                return replace(state, phase=Phase.ROLLED_BACK, clock=now), Drop()
            return replace(state, clock=now), Wait("")
        if self.weight >= self.most:
            return replace(state, phase=Phase.PROMOTED, clock=now), Promote(state.uri)
        self.weight += 10
        return replace(state, clock=now), self._traffic()


def _p99(bounds: tuple[float, ...], counts: list[float]) -> float:
    """As Prometheus' histogram_quantile: linear inside the bucket."""
    rest, low = 0.99 * sum(counts), 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count >= rest:
            return low + (bound - low) * rest / (count or 1.0)
        rest, low = rest - count, bound
    return low

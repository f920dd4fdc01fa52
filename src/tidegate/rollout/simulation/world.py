"""A place that serves two models, made of drawn numbers: what it answers, counts and obeys."""

from __future__ import annotations

from functools import lru_cache
from math import pi, sin
from operator import add
from typing import Any

import numpy

from tidegate.rollout.actions import Action, Drop, Prepare, Promote, SetTraffic
from tidegate.rollout.observation import (
    CANARY,
    STABLE,
    Categories,
    Gauge,
    Histogram,
    Moments,
    Observation,
    Routing,
    Series,
    Tally,
    Value,
)
from tidegate.rollout.rules import Rule
from tidegate.rollout.simulation.truth import BUCKETS, Traffic, Truth, bucket_shares

SLICE = 0.2
"""Share of requests that each slice has."""


class World:
    """Stable and canary behind a router that obeys at once; counters as processes have them, cumulative."""

    def __init__(
        self, rules: tuple[Rule, ...], stable: Truth, canary: Truth, traffic: Traffic, live: str, draw: Any
    ) -> None:
        self._measures = list({(rule.measure, rule.slice): rule for rule in rules}.values())
        if not any(rule.measure == "errors" and not rule.slice for rule in self._measures):
            self._measures.insert(0, Rule("errors", "errors", "errors", "", False, 1.0, False, False))
        self._truths = {STABLE: stable, CANARY: canary}
        self._traffic, self._draw = traffic, draw
        self._counts: dict[tuple[str, int], list[float]] = {}
        self._phase = draw.random()
        self.models = {STABLE: live}
        self.weights = {STABLE: 100}
        self.mirror = 0
        self.answered = 0.0
        """Requests of users that the new model answered, not counting mirrored ones."""
        self.bad = 0.0
        """Of those, errors."""

    def passes(self, now: float) -> None:
        """One interval's requests are answered and counted."""
        traffic, draw = self._traffic, self._draw
        mean = traffic.rate * traffic.interval
        if traffic.burst > 1:
            low = (1 - 0.1 * traffic.burst) / 0.9
            mean *= traffic.burst if draw.random() < 0.1 else max(low, 0.0)
        total = int(draw.poisson(mean))
        raised = (
            traffic.swing * 0.5 * (1 + sin(2 * pi * (now / traffic.period + self._phase))) if traffic.swing else 0.0
        )
        weight = self.weights.get(CANARY, 0) if CANARY in self.models else 0
        to_canary = int(draw.binomial(total, weight / 100)) if weight else 0
        self._serve(STABLE, total - to_canary, self._truths[STABLE], raised, users=False)
        if CANARY not in self.models:
            return
        truth = self._truths[CANARY].at(max(weight, self.mirror))
        self._serve(CANARY, to_canary, truth, raised, users=True)
        if self.mirror:
            self._serve(CANARY, int(draw.binomial(total, self.mirror / 100)), truth, raised, users=False)

    def seen(self, now: float) -> Observation:
        """What an adapter would report."""
        canary = self._truths[CANARY].at(max(self.weights.get(CANARY, 0), self.mirror))
        failing = {CANARY: "it ended with status 1"} if canary.dies and CANARY in self.models else {}
        ready = {role: role not in failing for role in self.models}
        series = [
            Series(role, rule.measure, self._value(role, at, rule), now, slice=rule.slice)
            for role in self.models
            for at, rule in enumerate(self._measures)
            if not (role == CANARY and canary.silent)
        ]
        routing = Routing(dict(self.weights), self.mirror, dict(self.models), ready, failing)
        return Observation(routing, tuple(series))

    def perform(self, action: Action) -> None:
        """The action is in force at once."""
        if isinstance(action, Prepare):
            self.models[CANARY] = action.uri
        elif isinstance(action, SetTraffic):
            self.weights, self.mirror = dict(action.weights), action.mirror
        elif isinstance(action, Promote):
            self.models, self.weights, self.mirror = {STABLE: action.uri}, {STABLE: 100}, 0
        elif isinstance(action, Drop):
            self.models.pop(CANARY, None)
            self.weights, self.mirror = {STABLE: 100}, 0

    def _serve(self, role: str, requests: int, truth: Truth, raised: float, users: bool) -> None:
        draw = self._draw
        error = min(truth.error + raised, 1.0)
        for at, rule in enumerate(self._measures):
            n = requests if not rule.slice else int(draw.binomial(requests, SLICE))
            counts = self._counts.setdefault((role, at), [])
            drawn = self._drawn(rule, truth, error, n)
            if users and rule.measure == "errors" and not rule.slice:
                self.answered, self.bad = self.answered + n, self.bad + drawn[1]
            if counts:
                counts[:] = map(add, counts, drawn)
            else:
                counts.extend(drawn)

    def _drawn(self, rule: Rule, truth: Truth, error: float, n: int) -> list[float]:
        draw = self._draw
        if rule.kind == "errors":
            return [n, int(draw.binomial(n, error))]
        if rule.kind == "latency":
            counts: list[float] = draw.multinomial(n, _shares(truth.median, truth.spread)).tolist()
            return counts
        if rule.kind == "reward":
            share = min(max((truth.reward - rule.low) / (rule.high - rule.low), 0.0), 1.0)
            return [n, int(draw.binomial(n, share))]
        if rule.kind == "agreement":
            return [n, int(draw.binomial(n, truth.agreement))]
        if rule.kind == "drift":
            up = int(draw.binomial(n, min(0.5 + truth.drift, 1.0)))
            return [up, n - up]
        return [n]

    def _value(self, role: str, at: int, rule: Rule) -> Value:
        counts = self._counts.get((role, at))
        if rule.kind == "latency":
            return Histogram(BUCKETS, tuple(counts) if counts else (0.0,) * (len(BUCKETS) + 1))
        if rule.kind == "query":
            return Gauge(self._truths[role].at(self.weights.get(role, 0)).query)
        one, two = counts or (0.0, 0.0)
        if rule.kind == "reward":
            low, high = rule.low, rule.high
            return Moments(one, low * (one - two) + high * two, low * low * (one - two) + high * high * two)
        return Categories({"a": one, "b": two}) if rule.kind == "drift" else Tally(one, two)


@lru_cache(maxsize=64)
def _shares(median: float, spread: float) -> Any:
    return numpy.array(bucket_shares(median, spread))

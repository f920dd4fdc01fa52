"""The operator's own metrics, as Prometheus scrapes them.

tidegate_rollouts{phase}                    ModelRollouts by phase
tidegate_rollout_decisions_total{decision}  what was decided
tidegate_rollout_failures_total             turns that could not be made (an API that does not answer)
tidegate_rollout_waiting{namespace,rollout} 1 while a change of traffic is not in force yet
tidegate_operator_turn_seconds              how long a turn takes
tidegate_operator_queue                     ModelRollouts that are not at rest
tidegate_operator_requests_total{verb,resource}  requests to the API server
tidegate_operator_leading                   1: this one is at work
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tidegate.operator.queue import Key


class Telling:
    """One operator's figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._phases: dict[Key, str] = {}
        self.requests: Counts[tuple[str, str]] = Counts()
        self._decisions = Counter(
            "tidegate_rollout_decisions", "What was decided", ["decision"], registry=self.registry
        )
        self._failures = Counter("tidegate_rollout_failures", "Turns that could not be made", registry=self.registry)
        self._waiting = Gauge(
            "tidegate_rollout_waiting", "1 while a change of traffic is not in force yet", ["namespace", "rollout"],
            registry=self.registry,
        )  # fmt: skip
        self.turns = Histogram(
            "tidegate_operator_turn_seconds", "How long a turn takes", registry=self.registry,
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
        )  # fmt: skip
        self.queue = Gauge("tidegate_operator_queue", "ModelRollouts that are not at rest", registry=self.registry)
        self.leading = Gauge("tidegate_operator_leading", "1: this one is at work", registry=self.registry)
        self.registry.register(_Counted(self))

    def decided(self, _key: Key, decision: str) -> None:
        self._decisions.labels(decision).inc()

    def failed(self, _key: Key) -> None:
        self._failures.inc()

    def acted(self, key: Key, waiting: str) -> None:
        if waiting:
            self._waiting.labels(key.namespace, key.name).set(1)
        else:
            self._over(key)

    def stands(self, key: Key, phase: str) -> None:
        """Where a ModelRollout stands; empty: it is gone."""
        if phase:
            self._phases[key] = phase
        else:
            self._phases.pop(key, None)
        if not phase or phase in ("Promoted", "RolledBack", "Reported", "Invalid"):
            self._over(key)

    def by_phase(self) -> Counts[str]:
        return Counts(self._phases.values())

    def _over(self, key: Key) -> None:
        self._waiting.remove_by_labels({"namespace": key.namespace, "rollout": key.name})


class _Counted(Collector):
    """What is counted elsewhere, told when it is asked for."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        phases = GaugeMetricFamily("tidegate_rollouts", "ModelRollouts by phase", labels=["phase"])
        for phase, count in sorted(self._telling.by_phase().items()):
            phases.add_metric([phase], count)
        yield phases
        requests = CounterMetricFamily(
            "tidegate_operator_requests", "Requests to the API server", labels=["verb", "resource"]
        )
        for (verb, resource), count in sorted(self._telling.requests.items()):
            requests.add_metric([verb, resource], count)
        yield requests

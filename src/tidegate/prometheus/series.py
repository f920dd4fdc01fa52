"""What samples mean for a rollout: the figures of Seldon's executor, of the gateway and of tidegate's model server.

All pure. `Roles` tells whose a sample is; samples of others are passed over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.prometheus.samples import Sample
from tidegate.rollout.observation import Categories, Histogram, Moments, Series, Tally, Value

EXECUTOR = "seldon_api_executor_server_requests_seconds"
GATEWAY = "istio_requests_total"
RUNTIME = "tidegate_"
_BESIDES = ("feedback", "metadata", "status", "ready", "health", "live")
_BAD_GRPC = {"Unknown", "DeadlineExceeded", "ResourceExhausted", "Unimplemented", "Internal", "Unavailable", "DataLoss"}
_POD = ("pod", "kubernetes_pod_name", "pod_name", "instance")
_NAMESPACE = ("namespace", "kubernetes_namespace", "exported_namespace")


@dataclass(frozen=True, slots=True)
class Roles:
    """Which predictor of which SeldonDeployment has which role."""

    namespace: str
    deployment: str
    predictors: Mapping[str, str]
    """Predictor -> role."""
    executors: bool = True
    """Whether Seldon's executor stands before the models (no `seldon.io/no-engine`)."""
    pods: Mapping[str, str] = field(default_factory=dict)
    """Pod -> predictor, for figures that name only their pod."""

    def of_predictor(self, labels: Mapping[str, str]) -> str:
        """The role of an executor's sample; empty: another's."""
        if labels.get("deployment_name") != self.deployment or not self._here(labels):
            return ""
        return self.predictors.get(labels.get("predictor_name", ""), "")

    def of_service(self, labels: Mapping[str, str]) -> str:
        """The role that a gateway's sample is about: by the service of the predictor."""
        name, _, rest = labels.get("destination_service", "").partition(".")
        name = labels.get("destination_service_name") or name
        namespace = labels.get("destination_service_namespace") or rest.partition(".")[0]
        if namespace != self.namespace:
            return ""
        return next((role for p, role in self.predictors.items() if name == f"{self.deployment}-{p}"), "")

    def of_pod(self, labels: Mapping[str, str]) -> str:
        """The role of a model server's sample."""
        return self.predictors.get(self.pods.get(source(labels), ""), "") if self._here(labels) else ""

    def _here(self, labels: Mapping[str, str]) -> bool:
        said = next((labels[key] for key in _NAMESPACE if labels.get(key)), self.namespace)
        return said == self.namespace


def source(labels: Mapping[str, str]) -> str:
    """The process that a sample comes from, by the names that scrape configurations give it."""
    return next((labels[key] for key in _POD if labels.get(key)), "")


def series(samples: Iterable[Sample], roles: Roles) -> tuple[Series, ...]:
    """Every figure that the samples hold for the rollout, each request counted once."""
    collected = _Collected()
    for sample in samples:
        if sample.name.startswith(EXECUTOR):
            if roles.executors:
                _executor(collected, sample, roles)
        elif sample.name == GATEWAY:
            _gateway(collected, sample, roles)
        elif sample.name.startswith(RUNTIME):
            _runtime(collected, sample, roles)
    return collected.series()


Key = tuple[str, str, str, str, str]
"""(role, measure, source, slice, version)."""


class _Collected:
    """Cumulative figures of one process, put together from its samples."""

    def __init__(self) -> None:
        self.at: dict[Key, float] = defaultdict(float)
        self.tallies: dict[Key, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.buckets: dict[Key, dict[float, float]] = defaultdict(lambda: defaultdict(float))
        self.moments: dict[Key, dict[str, float]] = defaultdict(dict)
        self.categories: dict[Key, dict[str, float]] = defaultdict(dict)

    def seen(self, key: Key, sample: Sample) -> Key:
        self.at[key] = max(self.at[key], sample.at)
        return key

    def series(self) -> tuple[Series, ...]:
        found: list[tuple[Key, Value]] = [(key, Tally(*counts)) for key, counts in self.tallies.items()]
        found += [(key, _histogram(buckets)) for key, buckets in self.buckets.items()]
        found += [
            (key, Moments(parts["count"], parts["total"], parts["squares"]))
            for key, parts in self.moments.items()
            if len(parts) == 3
        ]
        found += [(key, Categories(counts)) for key, counts in self.categories.items()]
        return tuple(
            Series(role, measure, value, self.at[role, measure, origin, part, version], origin, part, version)
            for (role, measure, origin, part, version), value in found
        )


def _executor(collected: _Collected, sample: Sample, roles: Roles) -> None:
    labels, role = sample.labels, roles.of_predictor(sample.labels)
    if not role or any(word in labels.get("service", "").lower() for word in _BESIDES):
        return
    bad = is_error(labels.get("code", ""))
    origin, version = f"executor {source(labels)}", labels.get("predictor_version", "")
    if sample.name == f"{EXECUTOR}_count":
        key = collected.seen((role, "errors", origin, "", version), sample)
        collected.tallies[key][0] += sample.value
        collected.tallies[key][1] += sample.value if bad else 0.0
    elif sample.name == f"{EXECUTOR}_bucket" and not bad:
        key = collected.seen((role, "latency", origin, "", version), sample)
        collected.buckets[key][float(labels["le"])] += sample.value


def _gateway(collected: _Collected, sample: Sample, roles: Roles) -> None:
    """Only what Envoy answered itself: flags tell it, and the models' own answers have been counted by them."""
    labels, role = sample.labels, roles.of_service(sample.labels)
    if not role:
        return
    key = collected.seen((role, "errors", f"gateway {source(labels)}", "", ""), sample)
    own = labels.get("response_flags", "-") != "-" and is_error(labels.get("response_code", ""))
    failed = sample.value if own else 0.0
    collected.tallies[key][0] += failed
    collected.tallies[key][1] += failed


def _runtime(collected: _Collected, sample: Sample, roles: Roles) -> None:
    labels, role, part = sample.labels, roles.of_pod(sample.labels), sample.labels.get("slice", "")
    if not role:
        return
    origin, version = f"server {source(labels)}", labels.get("model_version", "")

    def key(measure: str) -> Key:
        return collected.seen((role, measure, origin, part, version), sample)

    whole = part or not roles.executors  # what the executor counts is not counted again
    match sample.name.removeprefix(RUNTIME):
        case "requests_total" if whole:
            counts = collected.tallies[key("errors")]
            counts[0] += sample.value
            counts[1] += sample.value if labels.get("code") == "error" else 0.0
        case "request_seconds_bucket" if whole:
            collected.buckets[key("latency")][float(labels["le"])] += sample.value
        case "prediction_value_bucket":
            collected.buckets[key(f"prediction/{labels['output']}")][float(labels["le"])] += sample.value
        case "prediction_category_total":
            collected.categories[key(f"prediction/{labels['output']}")][labels["category"]] = sample.value
        case "reward_values_total":
            collected.moments[key(f"reward/{labels['reward']}")]["count"] = sample.value
        case "reward_sum":
            collected.moments[key(f"reward/{labels['reward']}")]["total"] = sample.value
        case "reward_squares_total":
            collected.moments[key(f"reward/{labels['reward']}")]["squares"] = sample.value


def is_error(code: str) -> bool:
    """Not answered well: HTTP 5xx, no answer at all (0), or a gRPC status that is the server's fault."""
    return int(code) >= 500 or int(code) == 0 if code.isdigit() else code in _BAD_GRPC


def _histogram(cumulative: Mapping[float, float]) -> Histogram:
    """From Prometheus' cumulative buckets, `+Inf` among them."""
    ordered = sorted(cumulative.items())
    counts = [value - before for (_, value), before in zip(ordered, [0.0, *(v for _, v in ordered)], strict=False)]
    bounds = tuple(bound for bound, _ in ordered if bound != float("inf"))
    return Histogram(bounds, tuple(counts) if len(counts) > len(bounds) else (*counts, 0.0))

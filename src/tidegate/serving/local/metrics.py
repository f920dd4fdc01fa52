"""A rollout's port to this machine's figures: Envoy's for errors and latency, the model servers' for their answers.

Errors and latency are what clients meet, so Envoy counts them: a process that cannot be reached has no figures of its
own. Slices, predictions, rewards come from the model servers.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tidegate.rollout.observation import CANARY, STABLE, Categories, Histogram, Moments, Series, Tally
from tidegate.rollout.plan import Agreement
from tidegate.rollout.ports import PortError
from tidegate.serving.local import envoy
from tidegate.serving.local.desired import Desired, Instance, Replica, Status
from tidegate.serving.local.place import Place
from tidegate.serving.local.router import served

_SECONDS = 2.0
_MEMORY = 50_000  # answers that wait for their counterpart
Samples = Mapping[str, Sequence[Any]]


@dataclass(slots=True)
class _Compared:
    """Mirrored answers against the stable model's, joined by request id."""

    total: int = 0
    agreed: int = 0
    read: dict[str, int] = field(default_factory=dict)
    """Process -> the number of its last answer seen."""
    waiting: dict[str, OrderedDict[str, Any]] = field(
        default_factory=lambda: {STABLE: OrderedDict(), CANARY: OrderedDict()}
    )


class LocalMetrics:
    """`Metrics` of the models that one supervisor keeps up. agreement: what to compare mirrored answers by."""

    def __init__(self, place: Place, client: httpx.AsyncClient, agreement: Agreement | None = None) -> None:
        self._place, self._client, self._agreement = place, client, agreement
        self._compared: dict[str, _Compared] = {}

    async def read(self) -> tuple[Series, ...]:
        """Raises: PortError where Envoy cannot be asked; a model server that is silent has no series."""
        desired, status = served(self._place)
        asked = [(role, i, r) for role, i in _roles(desired) for r in status.of(i) if r.ready]
        texts = await asyncio.gather(
            self._text(f"http://127.0.0.1:{status.admin}/stats/prometheus", {"filter": _filter(desired)}),
            *(self._text(f"http://127.0.0.1:{r.metrics}/metrics") for _, _, r in asked),
        )
        at = time.time()
        if texts[0] is None:
            raise PortError(f"Envoy on port {status.admin} does not tell its figures")
        found = list(of_envoy(_samples(texts[0]), desired, status, at))
        for (role, instance, replica), text in zip(asked, texts[1:], strict=True):
            if text is not None:
                found += of_model(_samples(text), role, instance, f"{replica.key}:{replica.pid}", at)
        if self._agreement is not None and desired.canary is not None:
            found.append(await self._agreeing(desired, desired.canary, asked, at))
        return tuple(found)

    async def _text(self, url: str, query: dict[str, str] | None = None) -> str | None:
        try:
            answer = await self._client.get(url, params=query, timeout=_SECONDS)
            return answer.text if answer.status_code == 200 else None
        except httpx.HTTPError:
            return None

    async def _agreeing(
        self, desired: Desired, canary: Instance, asked: list[tuple[str, Instance, Replica]], at: float
    ) -> Series:
        compared = self._compared.setdefault(canary.id, _Compared())
        for role, _, replica in asked:
            source = f"{replica.key}:{replica.pid}"
            url = f"http://127.0.0.1:{replica.http}/tidegate/answers"
            query = {"model": desired.name, "after": str(compared.read.get(source, 0))}
            try:
                kept = (await self._client.get(url, params=query, timeout=_SECONDS)).raise_for_status().json()
            except (httpx.HTTPError, ValueError):
                continue
            for number, request_id, outputs in kept:
                compared.read[source] = number
                self._meet(compared, role, request_id, outputs)
        value = Tally(compared.total, compared.agreed)
        return Series(CANARY, "agreement", value, at, source=canary.id, version=canary.version)

    def _meet(self, compared: _Compared, role: str, request_id: str, outputs: Samples) -> None:
        other = compared.waiting[STABLE if role == CANARY else CANARY].pop(request_id, None)
        if other is None:
            compared.waiting[role][request_id] = outputs
            while len(compared.waiting[role]) > _MEMORY:
                compared.waiting[role].popitem(last=False)
            return
        assert self._agreement is not None
        compared.total += 1
        compared.agreed += agree(outputs, other, self._agreement)


def agree(one: Samples, other: Samples, how: Agreement) -> bool:
    """Whether two answers to one request agree in the output that counts (by default the first)."""
    name = how.output or next(iter(one), "")
    if name not in one or name not in other or len(one[name]) != len(other[name]):
        return False
    return all(_near(a, b, how.tolerance) for a, b in zip(one[name], other[name], strict=True))


def _near(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b or abs(a - b) < tolerance
    return bool(a == b)


def _roles(desired: Desired) -> list[tuple[str, Instance]]:
    return [(role, i) for role, i in ((STABLE, desired.stable), (CANARY, desired.canary)) if i is not None]


def _filter(desired: Desired) -> str:
    ids = "|".join(re.escape(i.id) for _, i in _roles(desired))
    # Figures of endpoints are filtered by their name without cluster and address.
    return rf"cluster\.({ids})(-mirror)?\.upstream_rq_time$|endpoint\.(.*\.)?rq_(success|error)$"


Found = dict[str, list[tuple[dict[str, str], float]]]
"""Sample name -> its label sets and values."""


def _samples(text: str) -> Found:
    found: Found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


# ------------------------------------------------------------ Envoy's
def of_envoy(found: Found, desired: Desired, status: Status, at: float) -> Iterator[Series]:
    """Errors by endpoint, the instance's own ones only: those that stand by answer in another's name. Latency by
    cluster; Envoy measures whole milliseconds, rounded down, so each bound is a millisecond above Envoy's."""
    for role, instance in _roles(desired):
        own = {f"127.0.0.1:{r.http}" for r in status.of(instance)}
        tallies: dict[tuple[str, str], list[float]] = {}
        for place, name in enumerate(f"envoy_cluster_endpoint_rq_{end}_total" for end in ("success", "error")):
            for labels, value in found.get(name, ()):
                cluster, address = labels["envoy_cluster_name"], labels["envoy_endpoint_address"]
                if cluster in (instance.id, instance.id + envoy.MIRROR) and address in own:
                    tallies.setdefault((cluster, address), [0.0, 0.0])[place] = value
        for (cluster, address), (good, bad) in tallies.items():
            tally = Tally(good + bad, bad)
            yield Series(role, "errors", tally, at, f"envoy {cluster} {address}", version=instance.version)
        for cluster in (instance.id, instance.id + envoy.MIRROR):
            rows = [(la, v) for la, v in found.get("envoy_cluster_upstream_rq_time_bucket", ())
                    if la["envoy_cluster_name"] == cluster]  # fmt: skip
            if rows:
                latency = _histogram(rows, lambda bound: (bound + 1) / 1000)
                yield Series(role, "latency", latency, at, f"envoy {cluster}", version=instance.version)


# ------------------------------------------------------------ the model servers'
def of_model(found: Found, role: str, instance: Instance, source: str, at: float) -> Iterator[Series]:
    """Predictions and rewards; of slices, errors and latency as well."""

    def series(measure: str, value: Any, slice_: str) -> Series:
        return Series(role, measure, value, at, source, slice_, instance.version)

    for (slice_,), rows in _grouped(found, "tidegate_requests_total", "slice"):
        counts = {labels["code"]: value for labels, value in rows}
        if slice_:
            yield series("errors", Tally(sum(counts.values()), counts.get("error", 0.0)), slice_)
    for (slice_,), rows in _grouped(found, "tidegate_request_seconds_bucket", "slice"):
        if slice_:
            yield series("latency", _histogram(rows), slice_)
    for (slice_, output), rows in _grouped(found, "tidegate_prediction_value_bucket", "slice", "output"):
        yield series(f"prediction/{output}", _histogram(rows), slice_)
    for (slice_, output), rows in _grouped(found, "tidegate_prediction_category_total", "slice", "output"):
        yield series(f"prediction/{output}", Categories({la["category"]: v for la, v in rows}), slice_)
    sums, squares = (
        {(la["slice"], la["reward"]): v for la, v in found.get(name, ())}
        for name in ("tidegate_reward_sum", "tidegate_reward_squares_total")
    )
    for labels, count in found.get("tidegate_reward_values_total", ()):
        key = (labels["slice"], labels["reward"])
        moments = Moments(count, sums.get(key, 0.0), squares.get(key, 0.0))
        yield series(f"reward/{key[1]}", moments, key[0])


def _grouped(found: Found, name: str, *by: str) -> list[tuple[tuple[str, ...], list[tuple[dict[str, str], float]]]]:
    groups: dict[tuple[str, ...], list[tuple[dict[str, str], float]]] = {}
    for labels, value in found.get(name, ()):
        groups.setdefault(tuple(labels[k] for k in by), []).append((labels, value))
    return list(groups.items())


def _histogram(rows: Sequence[tuple[Mapping[str, str], float]], bound: Any = float) -> Histogram:
    """Prometheus' cumulative buckets as counts between bounds."""
    steps = sorted((float(labels["le"]), value) for labels, value in rows)
    counts = [value - before for (_, value), before in zip(steps, (0.0, *(v for _, v in steps)), strict=False)]
    return Histogram(tuple(bound(le) for le, _ in steps[:-1]), tuple(max(c, 0.0) for c in counts))

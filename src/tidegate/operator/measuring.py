"""Where a rollout's metrics come from: a Prometheus server, or the pods and the gateway themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate.kube.client import Api, ApiError
from tidegate.kube.resources import PODS
from tidegate.prometheus.scraping import PodMetrics, Scraper, Target
from tidegate.prometheus.series import Roles
from tidegate.prometheus.server import Question, Server, ServerMetrics
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.ports import Metrics
from tidegate.seldon.pods import endpoints, has_executors, pods, roles
from tidegate.seldon.router import SeldonRouter
from tidegate.seldon.seen import Seen

_GATEWAY_PORT, _GATEWAY_PATH = 15020, "/stats/prometheus"
_GATEWAY_SECONDS = 30.0
"""How long the gateway's pods are taken to be the same."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Istio's ingress gateway: its namespace, and a label selector of its pods."""

    namespace: str = "istio-system"
    selector: str = "istio=ingressgateway"


class Measuring:
    """Gives each rollout its Metrics. With a Prometheus server its series are used; without one pods are asked."""

    def __init__(
        self,
        api: Api,
        scraper: Scraper,
        clock: Callable[[], float],
        server: Server | None = None,
        gateway: Gateway | None = None,
        scrape: bool | None = None,
    ) -> None:
        self._api, self._scraper, self._clock, self._server, self._gateway = api, scraper, clock, server, gateway
        self._scrape = server is None if scrape is None else scrape
        self._gateways: tuple[float, list[Target]] = (float("-inf"), [])

    def of(self, plan: RolloutPlan, namespace: str, router: SeldonRouter) -> Metrics:
        """The Metrics of one rollout, for one turn: they look at what its Router has just seen."""
        asked = tuple(Question(r.name, r.prometheus.query) for r in plan.requirements if r.prometheus is not None)

        async def seen() -> Seen:
            return router.seen or await router.look()

        async def named() -> Roles:
            return roles_of(namespace, await seen())

        async def look() -> tuple[Roles, Sequence[Target]]:
            there = await seen()
            return roles_of(namespace, there), [*targets(plan, there), *await self._gateway_targets()]

        if self._server is not None and not self._scrape:
            return ServerMetrics(self._server, named, asked)
        return PodMetrics(self._scraper, look, self._server, asked)

    async def _gateway_targets(self) -> list[Target]:
        if self._gateway is None:
            return []
        at, known = self._gateways
        if 0 <= self._clock() - at < _GATEWAY_SECONDS:
            return known
        try:
            answer = await self._api.get(PODS.path(self._gateway.namespace), {"labelSelector": self._gateway.selector})
        except ApiError:
            return known
        found = []
        for pod in answer.get("items") or []:
            if address := (pod.get("status") or {}).get("podIP"):
                host = f"[{address}]" if ":" in address else address
                url = f"http://{host}:{_GATEWAY_PORT}{_GATEWAY_PATH}"
                found.append(Target(url, str(pod["metadata"]["name"])))
        self._gateways = (self._clock(), found)
        return found


def roles_of(namespace: str, seen: Seen) -> Roles:
    """Pure."""
    return Roles(namespace, seen.name, roles(seen), has_executors(seen), pods(seen))


def targets(plan: RolloutPlan, seen: Seen) -> list[Target]:
    """The pages that the plan's requirements need. Pure."""
    server = not has_executors(seen) or asks_the_server(plan)
    return [
        Target(one.url, one.pod, one.predictor, one.version, one.executor)
        for one in endpoints(seen)
        if one.executor or server
    ]


def asks_the_server(plan: RolloutPlan) -> bool:
    """Whether a requirement needs what only the model server counts: rewards, answers, slices. Pure."""
    of_server = [r for r in plan.requirements if r.reward or r.prediction_drift or r.slice]
    return bool(of_server) or plan.strategy.bandit is not None

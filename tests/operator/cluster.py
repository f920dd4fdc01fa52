"""A cluster in memory with one SeldonDeployment, ModelRollouts of it, traffic, and an operator that may be killed."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.seldon.place import NAMESPACE, NEW, Place
from tidegate.kube.client import Json
from tidegate.kube.resources import MODEL_ROLLOUTS
from tidegate.operator.queue import Key
from tidegate.operator.reconcile import Reconciler
from tidegate.operator.recording import Recorder
from tidegate.operator.remembering import Pace
from tidegate.operator.telling import Telling
from tidegate.rollout.observation import Series, Tally
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.ports import Metrics, PortError
from tidegate.seldon.pods import roles
from tidegate.seldon.router import SeldonRouter

KEY = Key(NAMESPACE, "flights")
PATH = MODEL_ROLLOUTS.path(*KEY)
SPEC: dict[str, Any] = {
    "model": {"uri": NEW},
    "target": {"seldonDeployment": {"name": "flights"}},
    "strategy": {"canary": {"steps": [{"weight": 20, "minSeconds": 5}, {"weight": 50, "minSeconds": 5}]}},
    "requirements": [{"name": "errors", "errorRate": True, "atMost": 0.05}],
    "deadlines": {"readySeconds": 120, "evidenceSeconds": 60, "totalSeconds": 600},
}


class Killed(BaseException):
    """kill -9 of the operator."""


class Traffic:
    """`rate` requests a second through the gateway, wherever the weights in force send them."""

    def __init__(self, place: Place, rate: float = 200.0) -> None:
        self.place, self.rate = place, rate
        self.errors: dict[str, float] = defaultdict(float)
        """Model -> share of its requests that fail."""
        self.counts: dict[str, Tally] = defaultdict(lambda: Tally(0.0, 0.0))
        self.served: dict[str, float] = defaultdict(float)
        self.silent = False

    async def second(self) -> None:
        seen = await self.place.seen()
        models = {p["name"]: m["value"] for p in seen.predictors for m in _env(p) if m["name"] == "MODEL_URI"}
        for predictor, weight in seen.routed.items():
            model = models.get(predictor, "")
            requests = self.rate * weight / 100
            before = self.counts[predictor]
            self.counts[predictor] = Tally(before.total + requests, before.hits + requests * self.errors[model])
            self.served[model] += requests


def _env(predictor: Json) -> list[dict[str, str]]:
    env: list[dict[str, str]] = predictor["componentSpecs"][0]["spec"]["containers"][0]["env"]
    return env


class Counted:
    """The metrics of one turn."""

    def __init__(self, traffic: Traffic, router: SeldonRouter) -> None:
        self._traffic, self._router = traffic, router

    async def read(self) -> tuple[Series, ...]:
        seen = self._router.seen or await self._router.look()
        if self._traffic.silent:
            raise PortError("no pod answers")
        return tuple(
            Series(role, "errors", self._traffic.counts[predictor], self._traffic.place.now, predictor)
            for predictor, role in roles(seen).items()
        )


class Measured:
    """Stands in for `Measuring`: the counts come from `Traffic`."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def of(self, plan: RolloutPlan, namespace: str, router: SeldonRouter) -> Metrics:
        return Counted(self._traffic, router)


class Cluster:
    def __init__(self, recorder: Recorder | None = None, pace: Pace | None = None) -> None:
        self.place = Place()
        self.api, self.traffic = self.place.api, Traffic(self.place)
        self.recorder, self.pace = recorder, pace or Pace()
        self.telling = Telling()
        self.operator = self.start()
        self.after: float | None = None
        self.kills = 0

    def start(self) -> Reconciler:
        """An operator that knows nothing."""
        measured: Any = Measured(self.traffic)
        return Reconciler(self.api, measured, self.telling, lambda: self.place.now, self.recorder, self.pace)

    async def apply(self, **changes: Any) -> None:
        """kubectl apply of the ModelRollout."""
        spec = {**SPEC, **changes}
        if PATH in self.api.objects:
            await self.api.patch(PATH, "json", [{"op": "add", "path": "/spec", "value": spec}])
        else:
            body = {"apiVersion": "tidegate.io/v1alpha1", "kind": "ModelRollout", "metadata": {"name": KEY.name}}
            self.api.put_in(MODEL_ROLLOUTS.path(NAMESPACE), {**body, "spec": spec})
        self.after = 0.0

    async def say(self, command: str) -> None:
        await self.api.patch(PATH, "merge", {"metadata": {"annotations": {"tidegate.io/command": command}}})
        self.after = 0.0

    async def pass_by(self, seconds: int) -> None:
        """Second by second: traffic, Seldon, Kubernetes, and the operator's turn when it is due."""
        for _ in range(seconds):
            await self.place.pass_by(1)
            await self.traffic.second()
            if self.after is None:
                continue
            self.after -= 1
            if self.after <= 0:
                try:
                    self.after = await self.operator.turn(KEY)
                except Killed:
                    self.kills += 1
                    self.operator, self.after = self.start(), 1.0

    async def until(self, *phases: str, seconds: int = 400) -> None:
        for _ in range(seconds):
            await self.pass_by(1)
            if self.phase in phases:
                return
        raise AssertionError(f"{phases} not reached within {seconds} s: {self.status}")

    async def ended(self, seconds: int = 600) -> None:
        """Until the operator has nothing left to do."""
        for _ in range(seconds):
            await self.pass_by(1)
            if self.after is None:
                return
        raise AssertionError(f"not at rest within {seconds} s: {self.status}")

    @property
    def body(self) -> Json:
        return self.api.objects[PATH]

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.body.get("status") or {})

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(e["reason"], e["message"]) for e in self.api.of_kind("Event")]

    def condition(self, kind: str) -> dict[str, Any]:
        return next(c for c in self.status["conditions"] if c["type"] == kind)


class KillingApi:
    """Passes requests on, and kills the operator before the n-th write, which is after the one before."""

    def __init__(self, api: Any, at: int) -> None:
        self._api, self._left = api, at

    def __getattr__(self, name: str) -> Any:
        wrapped = getattr(self._api, name)
        if name not in ("patch", "post", "put", "delete"):
            return wrapped

        async def write(*args: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                raise Killed
            return await wrapped(*args)

        return write

"""A SeldonDeployment in memory, with everything around it that a rollout meets."""

from __future__ import annotations

from typing import Any

from tests.doubles.api import MemoryApi
from tests.doubles.seldon import SeldonDouble, refused
from tests.doubles.workloads import Workloads
from tidegate.kube.client import Json
from tidegate.kube.resources import SELDON_DEPLOYMENTS
from tidegate.rollout.actions import Drop, Prepare, Promote, SetTraffic
from tidegate.rollout.observation import Routing
from tidegate.seldon.router import SeldonRouter
from tidegate.seldon.seen import Seen

NAMESPACE, NAME = "models", "flights"
OLD, NEW = "s3://models/flights/1", "s3://models/flights/2"


def predictor(uri: str = OLD, **more: Any) -> Json:
    container = {"name": "classifier", "image": "serving:1", "env": [{"name": "MODEL_URI", "value": uri}]}
    made = {
        "name": "default",
        "replicas": 1,
        "graph": {"name": "classifier", "type": "MODEL"},
        "componentSpecs": [{"spec": {"containers": [container]}}],
    }
    return made | more


def seldon_deployment(*predictors: Json) -> Json:
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": NAME},
        "spec": {"protocol": "v2", "predictors": list(predictors)},
    }


class Place:
    """Seconds pass only by `pass_by`."""

    def __init__(self, *predictors: Json, owner: str = "uid-of-rollout") -> None:
        self.api = MemoryApi({"seldondeployments": refused})
        self.path = SELDON_DEPLOYMENTS.path(NAMESPACE, NAME)
        self.api.put_in(SELDON_DEPLOYMENTS.path(NAMESPACE), seldon_deployment(*(predictors or (predictor(),))))
        self.double, self.workloads = SeldonDouble(self.api, NAMESPACE), Workloads(self.api)
        self.router = SeldonRouter(self.api, NAMESPACE, NAME, owner)
        self.now = 0.0
        self.weights: list[dict[str, int]] = []
        """What was in force, second by second."""
        self.unanswered = 0
        """Seconds in which requests went where no replica could answer."""

    async def pass_by(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.now += 1
            self.workloads.turn(self.now)
            await self.double.turn()
            self.workloads.turn(self.now)
            await self._note()

    async def _note(self) -> None:
        seen = await self.seen()
        weights = seen.routed
        self.weights.append(weights)
        there = {p["name"]: p for p in seen.predictors}
        if any(w and (name not in there or not seen.available(there[name])) for name, w in weights.items()):
            self.unanswered += 1

    async def do(self, action: Prepare | SetTraffic | Promote | Drop, seconds: int = 120) -> None:
        """As a driver does: ask, look, ask again, until nothing is left to do."""
        for _ in range(seconds):
            await self.router.perform(action)
            before = self.spec
            await self.pass_by(1)
            await self.router.perform(action)
            if not self.router.waiting and before == self.spec:
                return
        raise AssertionError(f"{action} is not done after {seconds} s: {self.router.waiting}")

    async def until_ready(self, role: str = "canary", seconds: int = 60) -> None:
        for _ in range(seconds):
            if (await self.routing()).ready.get(role):
                return
            await self.pass_by(1)
        raise AssertionError(f"{role} is not ready after {seconds} s")

    async def canary_at(self, weight: int) -> str:
        """A ready canary with that weight; gives its predictor's name."""
        await self.pass_by(30)
        await self.router.perform(Prepare(NEW))
        await self.until_ready()
        if weight:
            await self.do(SetTraffic({"stable": 100 - weight, "canary": weight}))
        return str(self.spec[1]["name"])

    @property
    def spec(self) -> list[Json]:
        predictors: list[Json] = self.api.objects[self.path]["spec"]["predictors"]
        return predictors

    async def seen(self) -> Seen:
        return await self.router.look()

    async def routing(self) -> Routing:
        return await self.router.routing()

    async def edit(self, index: int, **fields: Any) -> None:
        """Somebody else's hand."""
        operations = [{"op": "add", "path": f"/spec/predictors/{index}/{k}", "value": v} for k, v in fields.items()]
        await self.api.patch(self.path, "json", operations)

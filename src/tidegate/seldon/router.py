"""The Router of a SeldonDeployment in a cluster: reads what is in force, sends the next patch."""

from __future__ import annotations

import logging

from tidegate.kube.client import Api, ApiError, Json
from tidegate.kube.resources import DEPLOYMENTS, PODS, SELDON_DEPLOYMENTS, VIRTUAL_SERVICES
from tidegate.rollout.actions import Drop, Prepare, Promote, SetTraffic
from tidegate.rollout.observation import Routing
from tidegate.rollout.ports import PortError
from tidegate.seldon.seen import Seen, routing
from tidegate.seldon.steps import Waiting, describe, next_step, patch

_LOG = logging.getLogger(__name__)


class MissingError(PortError):
    """There is no such SeldonDeployment."""


class SeldonRouter:
    """`owner` is who asks, for all time: a ModelRollout's uid."""

    def __init__(self, api: Api, namespace: str, name: str, owner: str, container: str = "") -> None:
        self._api, self._namespace, self._name = api, namespace, name
        self._owner, self._container = owner, container
        self.seen: Seen | None = None
        """What was read last."""
        self.waiting = ""
        """Why the last action that was asked for is not in force yet."""
        self.changed = False
        """Whether the last action changed anything; where it did not, and nothing is waited for, it is done."""

    async def routing(self) -> Routing:
        self.seen = await self.look()
        return routing(self.seen)

    async def perform(self, action: Prepare | SetTraffic | Promote | Drop) -> None:
        """One step of it; ask again until it is in force. Raises: PortError."""
        seen, self.seen = self.seen or await self.look(), None  # what was just read will do: the patch tests it
        step = next_step(seen, action)
        self.waiting = step.reason if isinstance(step, Waiting) else ""
        self.changed = not isinstance(step, Waiting)
        if isinstance(step, Waiting):
            return
        _LOG.info("SeldonDeployment %s/%s: %s", self._namespace, self._name, describe(step))
        path = SELDON_DEPLOYMENTS.path(self._namespace, self._name)
        try:
            await self._api.patch(path, "json", patch(seen, step))
        except ApiError as error:
            raise _port_error(error) from None

    async def look(self) -> Seen:
        """The objects that tell what is in force. Raises: PortError."""
        deployment = await self._get(SELDON_DEPLOYMENTS.path(self._namespace, self._name))
        if deployment is None:
            raise MissingError(f"no SeldonDeployment {self._namespace}/{self._name}: create it, or mend the target")
        selector = {"labelSelector": f"seldon-deployment-id={self._name}"}
        return Seen(
            owner=self._owner,
            deployment=deployment,
            virtual_service=await self._get(VIRTUAL_SERVICES.path(self._namespace, self._name)),
            deployments=await self._list(DEPLOYMENTS.path(self._namespace), selector),
            pods=await self._list(PODS.path(self._namespace), selector),
            container=self._container,
        )

    async def _get(self, path: str) -> Json | None:
        try:
            return await self._api.get(path)
        except ApiError as error:
            if error.missing:
                return None
            raise _port_error(error) from None

    async def _list(self, path: str, query: dict[str, str]) -> list[Json]:
        try:
            return list((await self._api.get(path, query)).get("items") or [])
        except ApiError as error:
            raise _port_error(error) from None


def _port_error(error: ApiError) -> PortError:
    if error.conflict:
        return PortError(f"somebody changed it meanwhile, or it was refused: {error}")
    return PortError(str(error), again=error.again)

"""A rollout's port to this machine: who serves, and which share of the requests."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from tidegate.rollout.actions import Drop, Prepare, Promote, SetTraffic
from tidegate.rollout.observation import CANARY, STABLE, Routing
from tidegate.rollout.ports import PortError
from tidegate.serving.local import envoy
from tidegate.serving.local.desired import Desired, Instance, Status, performed
from tidegate.serving.local.place import Place, PlaceError

_SECONDS = 2.0


class LocalRouter:
    """`Router` of the models that one supervisor keeps up."""

    def __init__(self, place: Place, client: httpx.AsyncClient) -> None:
        self._place, self._client = place, client

    async def routing(self) -> Routing:
        """What Envoy does (not what it was told), and which processes are up. Raises: PortError."""
        desired, status = served(self._place)
        url = f"http://127.0.0.1:{status.admin}/config_dump?resource=dynamic_route_configs"
        try:
            answer = await self._client.get(url, timeout=_SECONDS)
            shares, mirrored = envoy.in_force(answer.raise_for_status().json())
        except (httpx.HTTPError, ValueError) as error:
            raise PortError(f"Envoy on port {status.admin} does not say its routes: {error}") from None
        roles = _roles(desired)
        known = {instance.id for instance in roles.values()}
        strange = sorted(name for name, weight in shares.items() if weight and name not in known)
        weights = {role: shares.get(instance.id, 0) for role, instance in roles.items()}
        if strange and not any(weights.values()):
            weights = {}  # a change is under way: the routes still name models of before
        models = {role: instance.uri for role, instance in roles.items()}
        if strange and CANARY not in models:
            models[CANARY] = strange[0]  # it is to go, and is gone once no request goes to it
        return Routing(
            weights=weights,
            mirrored=mirrored,
            models=models,
            ready={role: any(r.ready for r in status.of(instance)) for role, instance in roles.items()},
            failing=_failing(desired, status),
        )

    async def perform(self, action: Prepare | SetTraffic | Promote | Drop) -> None:
        """Write that it should be so; the supervisor sees to it. Raises: PortError."""
        try:
            with self._place.changing() as save:
                desired = self._place.desired()
                if desired is None or desired.stopped:
                    raise PortError(f"nothing is served in {self._place.folder}; `tidegate serve` begins", again=False)
                if (wanted := performed(desired, action)) != desired:
                    save(wanted)
            self._place.supervise()
        except (OSError, PlaceError) as error:
            raise PortError(str(error)) from None


def served(place: Place) -> tuple[Desired, Status]:
    """Raises: PortError where nothing is served, or not yet."""
    try:
        desired, status = place.desired(), place.status()
        if desired is None or desired.stopped:
            raise PortError(f"nothing is served in {place.folder}; `tidegate serve` begins", again=False)
        place.supervise()
    except (OSError, PlaceError) as error:
        raise PortError(str(error)) from None
    if status is None or not status.admin:
        raise PortError("the supervisor has not started Envoy yet")
    return desired, status


def _roles(desired: Desired) -> Mapping[str, Instance]:
    return {r: i for r, i in ((STABLE, desired.stable), (CANARY, desired.canary)) if i is not None}


def _failing(desired: Desired, status: Status) -> dict[str, str]:
    """Roles none of whose processes is up, though one has been tried; and what it said at last."""
    found = {}
    for role, instance in _roles(desired).items():
        replicas = status.of(instance)
        if replicas and not any(r.ready for r in replicas) and any(r.error for r in replicas):
            found[role] = next(r.error for r in replicas if r.error)
    return found

"""Which of several operators is at work: a Lease, renewed while it works, taken over when its holder is silent.

Clocks of machines are never compared: a holder is silent when its Lease did not change for its whole duration, by the
clock of who waits (as client-go's leader election has it).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from tidegate.kube.client import Api, ApiError, Json
from tidegate.kube.resources import LEASES

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. Renewed every `renew`; given up by its holder after `give_up` without success, which is well before
    others take it after `duration`.
    """

    duration: int = 15
    give_up: float = 10.0
    renew: float = 3.0

    @classmethod
    def of(cls, duration: int) -> Self:
        """With the same margins."""
        return cls(duration, duration * 2 / 3, duration / 5)


class LostError(Exception):
    """The Lease could not be renewed: another operator may be at work soon, so this one must stop."""


class Leader:
    """`monotonic` is a clock that never runs backwards."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        monotonic: Callable[[], float],
        timing: Timing | None = None,
    ) -> None:
        self._api, self._namespace, self._name = api, namespace, name
        self._identity, self._monotonic, self._timing = identity, monotonic, timing or Timing()
        self._seen: tuple[str, float] = ("", float("-inf"))
        self.leading = False

    async def acquire(self) -> None:
        """Returns once this is the holder."""
        while not self.leading:
            try:
                self.leading = await self.attempt()
            except ApiError as error:
                _LOG.warning("leader election: %s", error)
            if not self.leading:
                await asyncio.sleep(self._timing.renew)
        _LOG.info("leader election: %s leads", self._identity)

    async def hold(self) -> None:
        """Renews until it is lost. Raises: LostError."""
        last = self._monotonic()
        while True:
            await asyncio.sleep(self._timing.renew)
            try:
                if not await self.attempt():
                    raise LostError(f"the Lease {self._namespace}/{self._name} was taken by another")
                last = self._monotonic()
            except ApiError as error:
                _LOG.warning("leader election: %s", error)
            if self._monotonic() - last > self._timing.give_up:
                self.leading = False
                raise LostError(
                    f"the Lease {self._namespace}/{self._name} was not renewed for {self._timing.give_up:g} s"
                )

    async def release(self) -> None:
        """Lets the next one begin at once."""
        if not self.leading:
            return
        self.leading = False
        try:
            lease = await self._api.get(self._path)
            if lease["spec"].get("holderIdentity") == self._identity:
                await self._api.put(self._path, {**lease, "spec": {**lease["spec"], "holderIdentity": ""}})
        except ApiError as error:
            _LOG.warning("leader election: %s", error)

    async def attempt(self) -> bool:
        """Take or renew it; False: another has it. Raises: ApiError."""
        try:
            lease = await self._api.get(self._path)
        except ApiError as error:
            if not error.missing:
                raise
            return await self._create()
        spec = lease["spec"]
        holder, version = spec.get("holderIdentity") or "", lease["metadata"]["resourceVersion"]
        if version != self._seen[0]:
            self._seen = (version, self._monotonic())
        patience = spec.get("leaseDurationSeconds") or self._timing.duration
        if holder and holder != self._identity and self._monotonic() - self._seen[1] < patience:
            return False
        changes = int(spec.get("leaseTransitions") or 0) + (holder != self._identity)
        return await self._write({**lease, "spec": self._spec(changes, spec if holder == self._identity else {})})

    async def _create(self) -> bool:
        body = {
            "apiVersion": LEASES.api_version,
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._spec(0, {}),
        }
        try:
            await self._api.post(LEASES.path(self._namespace), body)
        except ApiError as error:
            if error.conflict:
                return False
            raise
        return True

    async def _write(self, lease: Json) -> bool:
        try:
            await self._api.put(self._path, lease)
        except ApiError as error:
            if error.conflict:  # somebody was faster
                return False
            raise
        return True

    def _spec(self, changes: int, before: Json) -> Json:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._timing.duration,
            "acquireTime": before.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": changes,
        }

    @property
    def _path(self) -> str:
        return LEASES.path(self._namespace, self._name)

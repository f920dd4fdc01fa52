"""kopf's watch of ModelRollouts, and what is done with an event: nothing but waking those that are not at rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from tidegate.kube.access import Access
from tidegate.kube.resources import MODEL_ROLLOUTS
from tidegate.operator.queue import Key, Queue
from tidegate.operator.reading import at_rest, command
from tidegate.operator.telling import Telling

_PAGE = 200
_TOKEN_MINUTES = 10


class Watch:
    """Wakes a rollout when a person changed it; its status, which the operator writes all the time, wakes nobody."""

    def __init__(self, queue: Queue, telling: Telling) -> None:
        self._queue, self._telling = queue, telling
        self._under_way: dict[Key, tuple[Any, ...]] = {}

    async def seen(self, event: Mapping[str, Any], **_: Any) -> None:
        """kopf's handler for every event."""
        body = event["object"]
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        if event["type"] == "DELETED":
            self._under_way.pop(key, None)
            self._queue.wake(key)
            return
        self._telling.stands(key, str((body.get("status") or {}).get("phase") or "New"))
        if at_rest(body):
            self._under_way.pop(key, None)
            return
        meta = body["metadata"]
        asked = (meta.get("uid"), meta.get("generation"), command(body), bool(meta.get("deletionTimestamp")))
        if self._under_way.get(key) != asked or key not in self._queue:
            self._under_way[key] = asked
            self._queue.wake(key)

    async def run(self, access: Access, namespaces: Sequence[str], ready: asyncio.Event) -> None:
        """Until it is told to stop (SIGTERM, SIGINT) or cannot go on. `ready`: set once the watch is up."""
        registry = kopf.OperatorRegistry()
        kopf.on.event(MODEL_ROLLOUTS.group, MODEL_ROLLOUTS.version, MODEL_ROLLOUTS.plural, registry=registry)(self.seen)

        @kopf.on.login(registry=registry)
        def login(**_: Any) -> kopf.ConnectionInfo:
            return connection(access)

        await kopf.operator(
            registry=registry,
            settings=settings(),
            standalone=True,  # which of several is at work is the Lease's business
            clusterwide=not namespaces,
            namespaces=list(namespaces),
            ready_flag=ready,
        )


def settings() -> kopf.OperatorSettings:
    """kopf as we use it: it watches, and writes nothing."""
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    made.scanning.disabled = True  # no watch of CRDs and namespaces, and no right to it needed
    made.watching.chunk_size = _PAGE
    made.queueing.worker_limit = 64
    made.queueing.idle_timeout = 0.05  # no task lives on for an object that had its event
    logging.getLogger("kopf").setLevel(logging.WARNING)
    return made


def connection(access: Access) -> kopf.ConnectionInfo:
    """Our access as kopf wants it; asked again before a pod's token is replaced."""
    return kopf.ConnectionInfo(
        server=access.server,
        ca_data=access.ca,
        insecure=not access.verify,
        token=access.token() if access.token else None,
        scheme="Bearer" if access.token else None,
        certificate_data=access.certificate,
        private_key_data=access.key,
        default_namespace=access.namespace,
        expiration=datetime.now(UTC) + timedelta(minutes=_TOKEN_MINUTES) if access.token else None,
    )

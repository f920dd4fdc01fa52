"""What the operator writes to a ModelRollout, each in one request."""

from __future__ import annotations

from typing import Any

from tidegate.kube.client import Api, Json
from tidegate.kube.resources import EVENTS, MODEL_ROLLOUTS
from tidegate.operator.reading import COMMAND, FINALIZER, Rollout


async def write_status(api: Api, rollout: Rollout, status: dict[str, Any]) -> Json:
    """All of the status anew, unless the object changed since it was read. Raises: ApiError (`conflict`)."""
    path = MODEL_ROLLOUTS.path(*rollout.key, "status")
    operations = [_unchanged(rollout), {"op": "add", "path": "/status", "value": status}]
    return await api.patch(path, "json", operations)


async def add_finalizer(api: Api, rollout: Rollout) -> Json:
    """Raises: ApiError (`conflict`)."""
    held = [*(rollout.body["metadata"].get("finalizers") or []), FINALIZER]
    return await api.patch(
        MODEL_ROLLOUTS.path(*rollout.key),
        "json",
        [_unchanged(rollout), {"op": "add", "path": "/metadata/finalizers", "value": held}],
    )


async def remove_finalizer(api: Api, rollout: Rollout) -> None:
    """Raises: ApiError (`conflict`)."""
    held = [name for name in rollout.body["metadata"].get("finalizers") or [] if name != FINALIZER]
    operations = [_unchanged(rollout), {"op": "add", "path": "/metadata/finalizers", "value": held}]
    await api.patch(MODEL_ROLLOUTS.path(*rollout.key), "json", operations)


async def clear_command(api: Api, rollout: Rollout) -> None:
    """Unless another was said meanwhile. Raises: ApiError (`conflict`)."""
    path = "/metadata/annotations/" + COMMAND.replace("/", "~1")
    said = rollout.body["metadata"]["annotations"][COMMAND]
    operations = [{"op": "test", "path": path, "value": said}, {"op": "remove", "path": path}]
    await api.patch(MODEL_ROLLOUTS.path(*rollout.key), "json", operations)


async def post_event(api: Api, namespace: str, event: Json) -> None:
    """Raises: ApiError; `conflict` where it was told already."""
    await api.post(EVENTS.path(namespace), event)


def _unchanged(rollout: Rollout) -> dict[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": rollout.version}

"""What every test on a cluster starts with: the cluster that KUBECONFIG names, and a namespace of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator

import pytest

from tidegate.kube.access import Access, find
from tidegate.kube.client import ApiError, Kube
from tidegate.kube.resources import MODEL_ROLLOUTS


@pytest.fixture(scope="session")
def access() -> Access:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is not set: no cluster to test on")
    return find()


@pytest.fixture(scope="module")
def namespace(access: Access) -> Iterator[str]:
    """One that enforces pod security `restricted`, removed afterwards."""
    name = f"tidegate-e2e-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}

    async def made(make: bool) -> None:
        async with Kube(access) as api:
            if make:
                await api.post("/api/v1/namespaces", body)
            else:
                await let_go(api, name)
                await api.delete(f"/api/v1/namespaces/{name}")

    asyncio.run(made(True))
    yield name
    try:
        asyncio.run(made(False))
    except ApiError as error:
        assert error.missing, error


async def let_go(api: Kube, namespace: str) -> None:
    """The operator that would let its ModelRollouts go is deleted with them: nothing may hold the namespace."""
    try:
        for item in (await api.get(MODEL_ROLLOUTS.path(namespace)))["items"]:
            path = MODEL_ROLLOUTS.path(namespace, item["metadata"]["name"])
            await api.delete(path)
            if item["metadata"].get("finalizers"):
                await api.patch(path, "merge", {"metadata": {"finalizers": None}})
    except ApiError as error:
        assert error.missing, error

"""A repository that a real Argo CD syncs, and what tests ask of both.

TIDEGATE_E2E_GIT: a Git server's address, for tests and cluster the same, where NAME.git can be pushed to (made at first
use). TIDEGATE_E2E_ARGO_CD: Argo CD's namespace, `argocd` by default.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dulwich import porcelain
from dulwich.client import get_transport_and_path
from dulwich.repo import Repo

from tidegate.kube.client import Api, ApiError, Json

ROOT = Path(__file__).parent.parent.parent
ARGO_CD = os.environ.get("TIDEGATE_E2E_ARGO_CD", "argocd")
GIT = os.environ.get("TIDEGATE_E2E_GIT", "")
APPLICATIONS = f"/apis/argoproj.io/v1alpha1/namespaces/{ARGO_CD}/applications"
SETTINGS = f"/api/v1/namespaces/{ARGO_CD}/configmaps/argocd-cm"


def missing(api_answers: bool) -> str:
    """Why there can be no test; empty: there can."""
    if not api_answers:
        return f"no Argo CD in namespace {ARGO_CD} (TIDEGATE_E2E_ARGO_CD)"
    return "" if GIT else "TIDEGATE_E2E_GIT is not set: no Git server to push to"


async def there_is_argo_cd(api: Api) -> bool:
    try:
        await api.get(SETTINGS)
    except ApiError:
        return False
    return True


def settings() -> dict[str, str]:
    """The keys of argocd-cm that our manifests bring."""
    folder = ROOT / "manifests/argo-cd/settings"
    said = yaml.safe_load((folder / "kustomization.yaml").read_text())
    pairs = [each.split("=", 1) for each in said["configMapGenerator"][0]["files"]]
    return {key: (folder / file).read_text() for key, file in pairs}


async def bring_settings(api: Api) -> None:
    await api.patch(SETTINGS, "merge", {"data": settings()})


def application(name: str, repository: str, namespace: str) -> Json:
    """Our manifest of the flights example, for another repository and namespace."""
    body: Json = yaml.safe_load((ROOT / "manifests/argo-cd/apps/flights.yaml").read_text())
    body["metadata"] |= {"name": name, "namespace": ARGO_CD}
    body["spec"] |= {"project": "default", "destination": {**body["spec"]["destination"], "namespace": namespace}}
    body["spec"]["source"] |= {"repoURL": repository, "path": "live"}
    return body


@dataclass
class Checkout:
    """A person's clone."""

    folder: Path
    url: str
    repo: Repo = field(init=False)

    def __post_init__(self) -> None:
        self.repo = porcelain.init(str(self.folder))
        self.repo.refs.set_symbolic_ref(b"HEAD", b"refs/heads/main")

    def push(self, files: Mapping[str, str], text: str) -> str:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        porcelain.add(self.repo, [str(self.folder / name) for name in files])
        person = b"A Person <person@example.org>"
        made = porcelain.commit(self.repo, message=text.encode(), author=person, committer=person)
        porcelain.push(self.repo, self.url, "refs/heads/main", outstream=_Nowhere(), errstream=_Nowhere())
        return made.decode()

    def pull(self) -> list[str]:
        """The first lines of the commits, newest first."""
        client, path = get_transport_and_path(self.url)
        head = client.fetch(path, self.repo).refs[b"refs/heads/main"]
        assert head is not None
        self.repo.refs[b"refs/heads/main"] = head
        porcelain.reset(self.repo, "hard", "refs/heads/main")
        walker = self.repo.get_walker(include=[head])
        return [entry.commit.message.decode().splitlines()[0] for entry in walker]

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def close(self) -> None:
        self.repo.close()


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)

    def flush(self) -> None:
        pass


async def until(api: Api, name: str, what: str, holds: Callable[[Json], bool], seconds: float = 240) -> Json:
    """The Application, once it is so; hurried, so that the test does not wait for Argo CD's next look."""
    began = time.monotonic()
    while True:
        found = await api.get(f"{APPLICATIONS}/{name}")
        if holds(found.get("status") or {}):
            return found
        said = {key: (found.get("status") or {}).get(key) for key in ("sync", "health", "conditions", "operationState")}
        assert time.monotonic() - began < seconds, f"not {what} after {seconds} s: {said}"
        await hurry(api, name)
        await asyncio.sleep(2)


async def hurry(api: Api, name: str) -> None:
    annotation = {"argocd.argoproj.io/refresh": "normal"}
    await api.patch(f"{APPLICATIONS}/{name}", "merge", {"metadata": {"annotations": annotation}})


def healthy(status: Mapping[str, Any]) -> bool:
    return in_sync(status) and (status.get("health") or {}).get("status") == "Healthy"


def in_sync(status: Mapping[str, Any]) -> bool:
    return (status.get("sync") or {}).get("status") == "Synced"


def at(revision: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda status: in_sync(status) and (status.get("sync") or {}).get("revision") == revision

"""Artifacts in the object store that a workflow writes to, as its artifact repository says; read, never written."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from tidegate.cluster.kube import Kube, KubeError, path
from tidegate.cluster.observed import ClusterError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

_SECONDS = 2.0  # to find out whether an address answers from here
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def fetch(kube: Kube, repository: Mapping[str, Any], key: str, to: Path) -> None:
    """Copy what lies at `key`, a file or all below it, to `to`, whole or not at all.

    repository: Argo's `artifactRepository`. Raises: ClusterError.
    """
    from obstore.exceptions import BaseError

    bucket = _bucket(kube, repository)
    new = to.with_name(f"{to.name}.{os.getpid()}.new")
    try:
        found = [str(each["path"]) for page in bucket.list(prefix=key) for each in page]
        if not found:
            raise ClusterError(f"nothing lies at {key} any more: it was collected, or deleted")
        for name in found:
            rest = name.removeprefix(key).strip("/")
            if ".." in Path(rest).parts or not (name == key or name.startswith(f"{key.rstrip('/')}/")):
                continue
            file = new / rest if rest else new
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bucket.get(name).bytes())
    except BaseError as error:
        raise ClusterError(f"the object store does not give {key}: {str(error).splitlines()[0]}") from error
    if to.exists():
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    new.replace(to)


def _bucket(kube: Kube, repository: Mapping[str, Any]) -> Any:
    """The bucket, opened with the credentials that workflows use, where the user may read them; else with their own."""
    from obstore.store import AzureStore, GCSStore, S3Store

    if said := repository.get("s3"):
        named = {"access_key_id": "accessKeySecret", "secret_access_key": "secretKeySecret"}
        keys = {name: value for name, field in named.items() if (value := _secret(kube, said.get(field)))}
        endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "") or _endpoint(kube, said)
        config: dict[str, Any] = keys if len(keys) == 2 else {}
        config["region"] = str(said.get("region") or os.environ.get("AWS_REGION") or "us-east-1")
        if endpoint:
            config["endpoint"] = endpoint
        reached: ClientConfig = {"allow_http": endpoint.startswith("http:"), "timeout": "30s"}
        return S3Store(str(said["bucket"]), config=cast("S3Config", config), client_options=reached)
    if said := repository.get("gcs"):
        return GCSStore(str(said["bucket"]))
    if said := repository.get("azure"):
        return AzureStore(str(said["container"]), endpoint=str(said["endpoint"]))
    kinds = ", ".join(repository) or "none"
    raise ClusterError(f"artifacts are read from S3, Google's and Azure's stores; the repository is of kind {kinds}")


def _endpoint(kube: Kube, said: Mapping[str, Any]) -> str:
    """The store's URL as it is reached from here; empty: AWS's own. Raises: ClusterError where it is not."""
    where = str(said.get("endpoint") or "")
    if not where or where.endswith("amazonaws.com"):
        return ""
    scheme = "http" if said.get("insecure") else "https"
    parts = urlsplit(f"{scheme}://{where}")
    host, port = parts.hostname or "", parts.port or (80 if scheme == "http" else 443)
    for candidate in (host, _service_address(kube, host)):
        if candidate and _answers(candidate, port):
            return f"{scheme}://{candidate}:{port}"
    service, namespace = [*host.split("."), kube.place.namespace][:2]
    raise ClusterError(
        f"the object store {where} does not answer from here: bring it here, "
        f"`kubectl port-forward -n {namespace} svc/{service} {port}`, and set AWS_ENDPOINT_URL_S3={scheme}://localhost:{port}"
    )


def _service_address(kube: Kube, host: str) -> str:
    """The cluster IP of `name.namespace.svc...`, which some networks route; empty where there is none."""
    name, _, rest = host.partition(".")
    namespace = rest.partition(".")[0] or kube.place.namespace
    at = path("api", "v1", "namespaces", namespace, "services", name)
    try:
        found = str((kube.get(at, "look for the object store").get("spec") or {}).get("clusterIP") or "")
    except KubeError:
        return ""
    return "" if found == "None" else found


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError:
        return False
    return True


def _secret(kube: Kube, selector: Any) -> str:
    if not isinstance(selector, Mapping):
        return ""
    at = path("api", "v1", "namespaces", kube.place.namespace, "secrets", str(selector.get("name", "")))
    try:
        data = kube.get(at, "read the object store's credentials").get("data") or {}
    except KubeError:  # then the user's own have to do
        return ""
    return base64.b64decode(data.get(str(selector.get("key", "")), "")).decode()

"""The Kubernetes API as the user's kubeconfig reaches it: plain JSON in and out, and errors that say what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tidegate.cluster.observed import ClusterError, UnreachableError

_SECONDS = (5.0, 30.0)  # to connect, to read
_FOLLOW_SECONDS = (5.0, 3600.0)
_MANAGER = "tidegate"
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Place:
    """Where on which cluster: resolved from `--context` and `--namespace`, and kept with the run."""

    context: str
    """A context of the kubeconfig; empty: the cluster that this pod is in."""
    namespace: str


class KubeError(ClusterError):
    """The API server's answer, where it is not success."""

    def __init__(self, status: int, reason: str, what: str, said: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(f"the cluster refuses to {what}: {said or reason or status}")


def path(*parts: str) -> str:
    """`/api/v1/...` of parts that may come from users, so that none of them leads elsewhere."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def connect(context: str = "", namespace: str = "") -> Kube:
    """A connection as kubectl would make it: KUBECONFIG, else ~/.kube/config, else the cluster of this pod.

    Raises: ClusterError where there is no such context, or no kubeconfig at all.
    """
    from kubernetes import client, config
    from kubernetes.config import ConfigException

    try:
        file = os.environ.get("KUBECONFIG")  # the library itself looks once, when it is imported
        contexts, active = config.list_kube_config_contexts(config_file=file)
    except ConfigException as error:
        if context:
            raise ClusterError(f"no context {context!r}: {error}; set KUBECONFIG, or leave --context out") from error
        return _in_cluster(namespace)
    chosen = active if not context else next((each for each in contexts if each["name"] == context), None)
    if chosen is None:
        known = ", ".join(sorted(each["name"] for each in contexts)) or "none"
        raise ClusterError(f"the kubeconfig has no context {context!r}: it has {known}")
    configuration = client.Configuration()
    try:
        config.load_kube_config(config_file=file, context=chosen["name"], client_configuration=configuration)
    except ConfigException as error:
        raise ClusterError(f"context {chosen['name']!r} of the kubeconfig cannot be used: {error}") from error
    place = Place(chosen["name"], namespace or chosen["context"].get("namespace") or "default")
    return Kube(client.ApiClient(configuration), place)


def _in_cluster(namespace: str) -> Kube:
    from kubernetes import client, config
    from kubernetes.config import ConfigException

    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
        own = _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except (ConfigException, OSError) as error:
        raise ClusterError(
            "there is no kubeconfig: expected one in KUBECONFIG or ~/.kube/config (or to be in a pod of the cluster); "
            "`kubectl config view` shows what kubectl uses"
        ) from error
    return Kube(client.ApiClient(configuration), Place("", namespace or own))


class Kube:
    """One connection. `what` in its methods is the deed, for errors: `read workflow x`."""

    def __init__(self, api: Any, place: Place) -> None:
        self._api = api
        self.place = place
        """The namespace that `allowed` asks about."""

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self._api.configuration.host)

    def get(self, at: str, what: str, **query: str) -> dict[str, Any]:
        return self._json("GET", at, what, query)

    def create(self, at: str, body: Mapping[str, Any], what: str) -> dict[str, Any]:
        return self._json("POST", at, what, {"fieldManager": _MANAGER}, body)

    def apply(self, at: str, body: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Server-side apply: make it so, whether it is there already or not."""
        query = {"fieldManager": _MANAGER, "force": "true"}
        return self._json("PATCH", at, what, query, body, "application/apply-patch+yaml")

    def merge(self, at: str, body: Mapping[str, Any], what: str) -> dict[str, Any]:
        """JSON merge patch."""
        return self._json("PATCH", at, what, {}, body, "application/merge-patch+json")

    def stream(self, at: str, what: str, **query: str) -> Iterator[bytes]:
        """A text response in pieces, as they come; with `follow` for up to an hour without a word."""
        seconds = _FOLLOW_SECONDS if "follow" in query else _SECONDS
        response = self._call("GET", at, what, query, None, "application/json", seconds, stream=True)
        try:
            yield from response.stream(1 << 16)
        except (OSError, _transport_errors()) as error:
            raise UnreachableError(f"the connection to {self.server} broke: {error}") from error
        finally:
            response.release_conn()

    def allowed(self, verb: str, resource: str, group: str = "") -> bool:
        """Whether the user may do it in the namespace (SelfSubjectAccessReview)."""
        kind, _, sub = resource.partition("/")
        asked = {"verb": verb, "group": group, "resource": kind, "subresource": sub, "namespace": self.place.namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
        }
        at = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self._json("POST", at, "ask what you may do", {}, review)["status"].get("allowed"))

    def _json(
        self,
        method: str,
        at: str,
        what: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        kind: str = "application/json",
    ) -> dict[str, Any]:
        found = json.loads(self._call(method, at, what, query, body, kind, _SECONDS).data)
        if not isinstance(found, dict):
            raise ClusterError(f"{self.server}{at}: expected a JSON object, found {type(found).__name__}")
        return found

    def _call(
        self,
        method: str,
        at: str,
        what: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        kind: str,
        seconds: tuple[float, float],
        stream: bool = False,
    ) -> Any:
        from kubernetes.client.exceptions import ApiException

        try:
            response, _, _ = self._api.call_api(
                at,
                method,
                query_params=list(query.items()),
                header_params={"Accept": "*/*" if stream else "application/json", "Content-Type": kind},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=seconds,
            )
            if not stream:
                response.data  # noqa: B018 - read here, where a broken connection is told as one
        except ApiException as error:
            raise _told(error, what, self.server) from error
        except (OSError, _transport_errors()) as error:
            raise UnreachableError(f"the cluster {self.server} does not answer: {error}") from error
        return response


def _transport_errors() -> type[Exception]:
    from urllib3.exceptions import HTTPError

    return HTTPError


def _told(error: Any, what: str, server: str) -> ClusterError:
    """The API server's answer as an error of ours; its own message says most."""
    if not error.status:  # TLS
        return UnreachableError(f"the cluster {server} does not answer: {error.reason}")
    try:
        said = str(json.loads(error.body).get("message", ""))
    except (ValueError, TypeError, AttributeError):
        said = ""
    if error.status == 429 or error.status >= 500:
        return UnreachableError(f"the cluster {server} cannot {what} now: {said or error.reason}")
    if error.status == 401:
        said = f"it does not know you ({said or 'unauthorized'}); are the kubeconfig's credentials still valid?"
    return KubeError(error.status, str(error.reason or ""), what, said)

"""Where the API keeps things: the path of a resource's objects. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced resource: `group` is empty for the core's."""

    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", part: str = "") -> str:
        """Of one object, of its part (`status`), or of all of them; without a namespace: of all namespaces."""
        pieces = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None:
            pieces += ["namespaces", namespace]
        pieces += [piece for piece in (self.plural, name, part) if piece]
        return "/" + "/".join(quote(piece, safe="") for piece in pieces)


PODS = Resource("", "v1", "pods")
EVENTS = Resource("", "v1", "events")
SECRETS = Resource("", "v1", "secrets")
LEASES = Resource("coordination.k8s.io", "v1", "leases")
DEPLOYMENTS = Resource("apps", "v1", "deployments")
SELDON_DEPLOYMENTS = Resource("machinelearning.seldon.io", "v1", "seldondeployments")
VIRTUAL_SERVICES = Resource("networking.istio.io", "v1beta1", "virtualservices")
MODEL_ROLLOUTS = Resource("tidegate.io", "v1alpha1", "modelrollouts")

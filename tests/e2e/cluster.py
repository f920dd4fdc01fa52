"""A cluster with Argo Workflows, as tests see it: KUBECONFIG says which; nothing else of it is assumed.

TIDEGATE_E2E_IMAGE: an image with Python and kfp, in the cluster (`make images` makes tidegate/host).
TIDEGATE_E2E_SECRET: namespace/name of the artifact repository's Secret, to be copied into the tests' namespaces.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tidegate.argo.text import manifests

IMAGE = os.environ.get("TIDEGATE_E2E_IMAGE", "docker.io/tidegate/host:0.1.0")
SECRET = os.environ.get("TIDEGATE_E2E_SECRET", "default/s3-credentials")


def kubectl(*arguments: str, given: str = "") -> str:
    done = subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def reachable() -> bool:
    """Whether there is a cluster with Argo in it."""
    if not os.environ.get("KUBECONFIG"):
        return False
    asked = ["kubectl", "get", "crd", "workflows.argoproj.io", "--request-timeout=10s"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class Namespace:
    """A namespace that enforces pod security `restricted`, with what workflows need in it."""

    name: str

    @classmethod
    def made(cls, name: str) -> Namespace:
        namespace, secret = SECRET.split("/")
        found = json.loads(kubectl("get", "secret", secret, "-n", namespace, "-o", "json"))
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "pipelines"},
            "rules": [
                {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]},
                # Exit tasks learn why others failed.
                {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["get"]},
            ],
        }
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "pipelines"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pipelines"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": name}],
        }
        enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
        made = cls(name)
        kubectl("apply", "-f", "-", given=json.dumps(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": enforced}}
        ))  # fmt: skip
        copied = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}, "data": found["data"]}
        made.apply([role, binding, copied])
        return made

    def apply(self, documents: Sequence[Mapping[str, Any]]) -> None:
        kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "-n",
            self.name,
            "-f",
            "-",
            given=manifests(documents),
        )

    def create(self, document: Mapping[str, Any]) -> str:
        """The name it got."""
        said = kubectl("create", "-n", self.name, "-o", "name", "-f", "-", given=json.dumps(document))
        return said.strip().rpartition("/")[2]

    def workflows(self) -> dict[str, dict[str, Any]]:
        found = json.loads(kubectl("get", "workflows", "-n", self.name, "-o", "json"))["items"]
        return {each["metadata"]["name"]: each for each in found}

    def empty(self, *kinds: str) -> None:
        kubectl("delete", ",".join(kinds), "--all", "-n", self.name, "--wait=false")


def repository() -> dict[str, Any]:
    """Where Argo keeps artifacts, as its controller has it."""
    found = json.loads(
        kubectl("get", "configmap", "-A", "-o", "json", "--field-selector=metadata.name=workflow-controller-configmap")
    )
    return dict(yaml.safe_load(found["items"][0]["data"]["artifactRepository"])["s3"])


def objects() -> Any:
    """The artifact repository, as an obstore."""
    import base64

    from obstore.store import S3Store

    said = repository()
    namespace, secret = SECRET.split("/")
    data = json.loads(kubectl("get", "secret", secret, "-n", namespace, "-o", "json"))["data"]
    host, _, port = said["endpoint"].partition(":")
    service, inside, *_ = host.split(".")
    address = json.loads(kubectl("get", "service", service, "-n", inside, "-o", "json"))["spec"]["clusterIP"]
    return S3Store(
        said["bucket"],
        config={
            "endpoint": os.environ.get("TIDEGATE_E2E_S3", f"http://{address}:{port or 80}"),
            "access_key_id": base64.b64decode(data[said["accessKeySecret"]["key"]]).decode(),
            "secret_access_key": base64.b64decode(data[said["secretKeySecret"]["key"]]).decode(),
            "region": said.get("region", "us-east-1"),
            "virtual_hosted_style_request": False,
        },
        client_options={"allow_http": True},
    )

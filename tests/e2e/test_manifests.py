"""The manifests by people's tools: kustomize, helm, kubeconform with the cluster's own schemas, the API server.

A tool that is not in PATH skips its tests.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.serving_place import install
from tidegate.kube.access import Access
from tidegate.kube.client import ApiError, Kube

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "helm/tidegate"
KUBERNETES = "1.34.0"
ALL_ON = "monitoring.enabled=true,argoWorkflows.enabled=true,flights.enabled=true"
PARTS = ("base", "monitoring", "argo-workflows", "flights")
BUILDS = (
    *PARTS, "pipelines", "argo-cd/settings", "argo-cd/apps",
    "overlays/argo-only", "overlays/kubeflow", "overlays/seldon", "overlays/dev",
)  # fmt: skip
WITHOUT_SCHEMA = "ServiceMonitor,PrometheusRule"
"""Kinds of the Prometheus operator, which the cluster may not have."""


def run(*command: str, given: str = "") -> str:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not in PATH")
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def kustomized(part: str) -> str:
    return run("kustomize", "build", f"manifests/{part}")


def helmed(*sets: str) -> str:
    given = [part for each in sets for part in ("--set", each)]
    return run(
        "helm", "template", "tidegate", str(CHART), "-n", "tidegate-system", "--kube-version", KUBERNETES, *given
    )


def objects(text: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """By kind, namespace and name, without what only says who made them."""
    made = {}
    for body in filter(None, yaml.safe_load_all(text)):
        meta = body["metadata"]
        for own in ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version"):
            meta.get("labels", {}).pop(own, None)
        meta.get("annotations", {}).pop("helm.sh/resource-policy", None)
        meta = {key: value for key, value in meta.items() if value}
        made[body["kind"], meta.get("namespace", ""), meta["name"]] = {**body, "metadata": meta}
    return made


def test_the_chart_and_the_kustomizations_are_the_same_objects() -> None:
    chart = objects(helmed(ALL_ON))
    wanted = {key: body for part in PARTS for key, body in objects(kustomized(part)).items() if key[0] != "Namespace"}
    assert set(chart) == set(wanted)
    for key, body in wanted.items():
        assert chart[key] == body, key


def test_switches_of_the_chart_leave_out_what_they_are_for() -> None:
    small = objects(helmed("crds.install=false", "networkPolicy.enabled=false"))
    assert {kind for kind, _, _ in small} == {
        "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Deployment", "Service",
    }  # fmt: skip


def test_an_operator_of_some_namespaces_has_rights_there_only() -> None:
    there = objects(helmed("operator.namespaces={a,b}"))
    assert {ns for kind, ns, name in there if kind == "RoleBinding" and name == "tidegate-operator"} == {"a", "b"}
    assert not [key for key in there if key[0] == "ClusterRoleBinding"]
    (pod,) = [body["spec"]["template"]["spec"] for (kind, _, _), body in there.items() if kind == "Deployment"]
    assert pod["containers"][0]["args"][-4:] == ["--namespace", "a", "--namespace", "b"]


@pytest.mark.parametrize("bad", ["image.tag=latest", "replica=3", "operator.interval=0", "operator.logFormat=xml"])
def test_values_that_cannot_be_are_refused(bad: str) -> None:
    if not shutil.which("helm"):
        pytest.skip("helm is not in PATH")
    command = ["helm", "template", "t", str(CHART), "--kube-version", KUBERNETES, "--set", bad]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "don't meet the specifications of the schema" in done.stderr


def test_helm_finds_nothing_to_complain_about() -> None:
    assert "0 chart(s) failed" in run("helm", "lint", str(CHART), "--strict", "--kube-version", KUBERNETES)


# ------------------------------------------------------------ with the cluster's own schemas
@pytest.fixture(scope="module")
def schemas(access: Access, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of every kind that the cluster has, as kubeconform finds them; nothing unknown is allowed in them."""
    folder = tmp_path_factory.mktemp("schemas")

    async def fetch() -> None:
        async with Kube(access) as api:
            await install(api)
            paths = (await api.get("/openapi/v3"))["paths"]
            for path in paths:
                if path.startswith(("api/", "apis/")):
                    write(folder, (await api.get(f"/openapi/v3/{path}"))["components"]["schemas"])

    asyncio.run(fetch())
    yield f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def write(folder: Path, found: dict[str, Any]) -> None:
    for schema in found.values():
        if "properties" in schema:
            closed(schema)
    for name, schema in found.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            suffix = "-".join(part for part in (kind["kind"].lower(), group, kind["version"]) if part)
            body = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": found}}
            (folder / f"{suffix}.json").write_text(json.dumps(body))


def closed(schema: Any) -> None:
    if isinstance(schema, dict):
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            closed(value)
    elif isinstance(schema, list):
        for value in schema:
            closed(value)


@pytest.mark.parametrize("part", BUILDS)
def test_manifests_have_no_field_that_kubernetes_does_not_know(part: str, schemas: str) -> None:
    run(
        "kubeconform",
        "-strict",
        "-skip",
        WITHOUT_SCHEMA,
        "-schema-location",
        schemas,
        "-summary",
        given=kustomized(part),
    )


def test_a_field_that_kubernetes_does_not_know_would_be_found(schemas: str) -> None:
    wrong = kustomized("base").replace("terminationGracePeriodSeconds", "terminationGraceSeconds")
    command = ["kubeconform", "-strict", "-schema-location", schemas]
    if not shutil.which("kubeconform"):
        pytest.skip("kubeconform is not in PATH")
    done = subprocess.run(command, input=wrong, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "terminationGraceSeconds" in done.stdout


def test_the_charts_objects_have_none_either(schemas: str) -> None:
    run("kubeconform", "-strict", "-skip", WITHOUT_SCHEMA, "-schema-location", schemas, given=helmed(ALL_ON))


def test_a_namespace_that_enforces_restricted_pods_takes_the_operators(access: Access, namespace: str) -> None:
    deployment = objects(kustomized("base"))["Deployment", "tidegate-system", "tidegate-operator"]
    template = deployment["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator"}, "spec": dict(template["spec"])}
    pod["spec"]["serviceAccountName"] = "default"

    async def admitted(body: dict[str, Any]) -> None:
        async with Kube(access) as api:
            await api.post(f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict", body)

    asyncio.run(admitted(pod))
    pod["spec"]["securityContext"] = {**pod["spec"]["securityContext"], "runAsNonRoot": False}
    with pytest.raises(ApiError, match="restricted"):
        asyncio.run(admitted(pod))

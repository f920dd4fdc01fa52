"""The health checks by Argo CD's own binary, from the ConfigMap as our manifests make it: the same table of cases."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.gitops_place import settings
from tests.manifests.test_argo_cd_health import CASES

pytestmark = pytest.mark.e2e
KINDS = {
    "modelrollout.lua": ("tidegate.io/v1alpha1", "ModelRollout"),
    "seldondeployment.lua": ("machinelearning.seldon.io/v1", "SeldonDeployment"),
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("argocd"):
        pytest.skip("argocd is not in PATH")
    file = tmp_path_factory.mktemp("argo-cd") / "argocd-cm.yaml"
    labels = {"app.kubernetes.io/part-of": "argocd"}
    meta = {"name": "argocd-cm", "namespace": "argocd", "labels": labels}
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": settings()}))
    return file


@pytest.mark.parametrize(
    ("check", "_name", "obj", "status", "message"), CASES, ids=[f"{c[0][:6]}-{c[1]}" for c in CASES]
)
def test_health(
    check: str, _name: str, obj: dict[str, Any], status: str, message: str, config: Path, tmp_path: Path
) -> None:
    version, kind = KINDS[check]
    file = tmp_path / "object.yaml"
    file.write_text(yaml.safe_dump({"apiVersion": version, "kind": kind, **obj}))
    command = [
        "argocd",
        "admin",
        "settings",
        "resource-overrides",
        "health",
        str(file),
        "--argocd-cm-path",
        str(config),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert f"STATUS: {status}\n" in said
    assert message in said

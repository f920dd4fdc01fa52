"""What the manifests say agrees with the code that they deploy."""

from __future__ import annotations

import json
import os
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.operator import rights
from tidegate.operator.telling import Telling
from tidegate.rollout.plan import RolloutPlan
from tidegate.seldon.predictors import model_of, version_label

ROOT = Path(__file__).parent.parent.parent
MANIFESTS = ROOT / "manifests"


def objects(*parts: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(MANIFESTS.joinpath(*parts).read_text()) if each]


def of_kind(kind: str, *parts: str) -> dict[str, Any]:
    return next(each for each in objects(*parts) if each["kind"] == kind)


@pytest.mark.parametrize(("kind", "wanted"), [("ClusterRole", rights.WORK), ("Role", rights.LEADING)])
def test_the_operator_has_the_rights_that_it_uses_and_no_other(kind: str, wanted: tuple[rights.Right, ...]) -> None:
    assert of_kind(kind, "operator", "rbac.yaml")["rules"] == [right.rule for right in wanted]


@pytest.mark.parametrize(
    "path", sorted(MANIFESTS.glob("*/*r*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_right_has_its_reason_verb_by_verb(path: Path) -> None:
    text = path.read_text()
    for reason, verbs in re.findall(r"^( *#[^\n]*)\n- apiGroups:.*\n(?:  .*\n)*?  verbs: \[(.*)\]", text, re.MULTILINE):
        said = reason.strip("# ").split(":")[0]
        assert said in (verbs, "all of it"), f"{path}: {reason}"
    assert len(re.findall(r"^- apiGroups:", text, re.MULTILINE)) == len(
        re.findall(r"^# .*\n- apiGroups:", text, re.MULTILINE)
    )


def test_the_operators_pod_is_restricted() -> None:
    pod = of_kind("Deployment", "operator", "deployment.yaml")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        said = container["securityContext"]
        assert (said["allowPrivilegeEscalation"], said["readOnlyRootFilesystem"]) == (False, True)
        assert said["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_images_are_of_this_version() -> None:
    from tidegate import __version__

    text = "".join(path.read_text() for path in MANIFESTS.rglob("*.yaml") if path.parent.name != "crd")
    images = set(re.findall(r"^ *(?:- )?image: (\S+)", text, re.MULTILINE))
    assert {f"tidegate/{name}:{__version__}" for name in ("operator", "serving", "components")} <= images
    assert all(re.fullmatch(rf"tidegate/\w+:{re.escape(__version__)}", image) for image in images), images


def test_the_example_asks_for_the_model_that_it_serves() -> None:
    deployment = of_kind("SeldonDeployment", "flights", "seldon-deployment.yaml")
    rollout = of_kind("ModelRollout", "flights", "model-rollout.yaml")
    plan = RolloutPlan.model_validate(rollout["spec"])
    (predictor,) = deployment["spec"]["predictors"]
    assert model_of(predictor) == plan.model.uri
    assert predictor["annotations"]["version"] == plan.model.version
    assert version_label(predictor) == "default"
    assert plan.target.seldon_deployment is not None
    assert plan.target.seldon_deployment.name == deployment["metadata"]["name"]
    assert deployment["metadata"]["namespace"] == rollout["metadata"]["namespace"]


def figures() -> set[str]:
    """The names that the operator's metrics have, and those of the model server."""
    telling = Telling()
    own = {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in telling.registry.collect()}
    served = re.findall(r'MetricFamily\(\s*"(tidegate_\w+)"', (ROOT / "src/tidegate/serving/exposition.py").read_text())
    return (
        own
        | {name + end for name in served for end in ("_bucket", "_count", "_total", "")}
        | {"tidegate_operator_turn_seconds_bucket"}
    )


@pytest.mark.parametrize("file", ["rules.yaml", "dashboard.json"])
def test_alerts_and_panels_name_figures_that_there_are(file: str) -> None:
    named = set(re.findall(r"\btidegate_\w+", (MANIFESTS / "monitoring" / file).read_text()))
    assert named
    assert named <= figures()


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    groups = of_kind("PrometheusRule", "monitoring", "rules.yaml")["spec"]["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert len({alert["alert"] for alert in alerts}) == len(alerts)
    for alert in alerts:
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert all(alert["annotations"][part] for part in ("summary", "description"))
    assert json.loads((MANIFESTS / "monitoring/dashboard.json").read_text())["panels"]


def test_kustomizations_name_files_that_there_are_and_every_file_is_named() -> None:
    for path in MANIFESTS.rglob("kustomization.yaml"):
        said = yaml.safe_load(path.read_text())
        generated = [name.split("=")[1] for each in said.get("configMapGenerator", []) for name in each["files"]]
        named = [*said.get("resources", []), *generated]
        assert all((path.parent / name).exists() for name in named), path
        there = {each.name for each in path.parent.iterdir() if each.is_file()} - {"kustomization.yaml"}
        assert there == {name for name in named if (path.parent / name).is_file()}, path


def test_the_charts_golden_files_are_those_of_its_values() -> None:
    for path, text in runpy.run_path(str(ROOT / "scripts/chart.py"))["files"]().items():
        if os.environ.get("TIDEGATE_GOLDEN") == "write":
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text, f"{path} is not current: make golden"


def test_the_chart_is_of_this_version() -> None:
    from tidegate import __version__

    chart = yaml.safe_load((ROOT / "helm/tidegate/Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == __version__

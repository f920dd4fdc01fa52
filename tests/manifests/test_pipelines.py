"""The example pipeline among the manifests: what the compiler makes of it today."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from tidegate.argo import runner, settings, text
from tidegate.argo.compiling import compile as compiled
from tidegate.argo.options import Schedule
from tidegate.cli.commands.pipelines import graph_of, load

ROOT = Path(__file__).parent.parent.parent
MANIFEST = ROOT / "manifests/pipelines/flights.yaml"


def made() -> str:
    options = replace(
        settings.load(ROOT), namespace="pipelines", service_account="pipelines", schedule=Schedule("0 3 * * *")
    )
    documents = compiled(graph_of(load(str(ROOT / "pipelines/flights/pipeline.py"), None)), options, runner.archive())
    return text.manifests(documents)


def objects(manifests: str) -> list[Any]:
    """Without the step runner itself: a manifest brings one that fits it, and that need not be the newest."""
    manifests = re.sub(r"tidegate-runner-[0-9a-f]+", "tidegate-runner", manifests)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [each for each in yaml.load_all(manifests, loader) if each["metadata"]["name"] != "tidegate-runner"]


def test_the_flights_pipelines_golden_manifest_is_what_the_compiler_makes() -> None:
    today = made()
    if os.environ.get("TIDEGATE_GOLDEN") == "write":
        MANIFEST.write_text(today, encoding="utf-8")
    there = objects(MANIFEST.read_text(encoding="utf-8"))
    assert there == objects(today), "manifests/pipelines/flights.yaml is not current: make golden"
    assert {each["kind"] for each in there} == {"ConfigMap", "WorkflowTemplate", "CronWorkflow"}
    assert {each["metadata"]["namespace"] for each in there} == {"pipelines"}

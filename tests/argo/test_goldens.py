"""The manifests of a handful of pipelines, as reviewers read them. `make golden` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.argo.pipelines import PIPELINES
from tests.conformance.case import compiled
from tidegate.argo.compiling import compile
from tidegate.argo.options import Options, Schedule
from tidegate.argo.text import manifests
from tidegate.graph.build import build
from tidegate.spec import load

HERE = Path(__file__).parent / "goldens"
RUNNER = b"the step runner"  # so that goldens change with manifests only


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda each: each.name)
def test_manifests_are_the_goldens(pipeline: Any) -> None:
    schedule = Schedule("0 3 * * *", parameters={"a": 5}) if pipeline.name == "chain" else None
    found = manifests(compile(build(load(compiled(pipeline))), Options(schedule=schedule), RUNNER))
    golden = HERE / f"{pipeline.name}.yaml"
    if os.environ.get("TIDEGATE_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found)

    assert found == golden.read_text()

"""Commands that look at a pipeline without running it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Tidegate
from tidegate.cli.lint import Finding, Level, lint
from tidegate.graph.model import (
    ArtifactInput,
    Binding,
    Component,
    Constant,
    Dag,
    FromInput,
    FromTask,
    Graph,
    Parameter,
    Task,
)
from tidegate.graph.work import ArtifactType, Container


# ---------------------------------------------------------------- graph
def test_the_tree_shows_order_conditions_and_loops(tidegate: Tidegate, pipeline: Path) -> None:
    assert tidegate("graph", pipeline).out.splitlines() == [
        "toy",
        "├─ measure",
        "├─ train  ← measure",
        "├─ check  ← train",
        "└─ ? condition-1  if check.Output == 'good'  ← check, train",
        '   └─ ↻ for-loop-3  for each of ["here", "there"]',
        "      └─ push",
    ]


def test_mermaid_has_a_node_for_each_task_and_an_edge_for_each_need(tidegate: Tidegate, pipeline: Path) -> None:
    lines = tidegate("graph", pipeline, "--format", "mermaid").out.splitlines()
    assert lines[0] == "flowchart TD"
    assert len([line for line in lines if "-->" in line]) == 4
    assert (
        sum(line.strip().startswith("subgraph") for line in lines) == sum(line.strip() == "end" for line in lines) == 2
    )


def test_dot_closes_what_it_opens(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("graph", pipeline, "--format", "dot").out
    assert said.startswith("digraph")
    assert said.count("{") == said.count("}") == 3


def test_svg_is_well_formed_and_names_every_task(tidegate: Tidegate, pipeline: Path, tmp_path: Path) -> None:
    assert tidegate("graph", pipeline, "--format", "svg", "-o", tmp_path / "toy.svg").code == 0
    root = ElementTree.parse(tmp_path / "toy.svg").getroot()
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"toy", "measure", "train", "check", "condition-1", "for-loop-3", "push"} <= texts
    boxes = list(root.iter("{http://www.w3.org/2000/svg}rect"))
    width = float(root.attrib["width"])
    assert all(
        0 <= float(box.attrib["x"]) <= float(box.attrib["x"]) + float(box.attrib["width"]) <= width for box in boxes
    )


# ---------------------------------------------------------------- compile
def test_a_pipeline_compiles_to_what_kfp_reads(tidegate: Tidegate, pipeline: Path, tmp_path: Path) -> None:
    spec = yaml.safe_load(tidegate("compile", pipeline).out)
    assert spec["pipelineInfo"]["name"] == "toy"
    assert tidegate("compile", pipeline, "-o", tmp_path / "toy.json").code == 0
    assert json.loads((tmp_path / "toy.json").read_text()) == spec


def test_compiling_to_another_ending_is_refused(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("compile", pipeline, "-o", "toy.txt")
    assert said.code == 2
    assert ".yaml, .yml or .json" in said.err


# ---------------------------------------------------------------- lint
def test_lint_tells_what_is_doubtful_and_passes_it(tidegate: Tidegate, pipeline: Path) -> None:
    said = tidegate("lint", pipeline, "-o", "json")
    assert said.code == 0
    assert [(f["level"], f["rule"]) for f in said.json] == [("note", "no-memory-limit")]


def test_lint_fails_where_no_environment_stands_for_an_image(tidegate: Tidegate, pipeline: Path) -> None:
    pipeline.write_text(pipeline.read_text().replace("python:3.11", "my/own:1"))
    said = tidegate("lint", pipeline)
    assert said.code == 1
    assert re.search(r'error check: .*"my/own:1" = "host"', said.out, re.DOTALL)


def test_lint_can_be_strict(tidegate: Tidegate, pipeline: Path) -> None:
    pipeline.write_text(pipeline.read_text().replace("rows: int = 10,", "rows: int = 10, idle: int = 1,"))
    assert tidegate("lint", pipeline).code == 0
    said = tidegate("lint", pipeline, "--strict")
    assert said.code == 1
    assert "warning toy: no task uses the parameter 'idle' [unused-parameter]" in said.out


BOX = Container("python:3.11", ("true",), (), memory=1 << 30)
DATASET, MODEL = ArtifactType("system.Dataset"), ArtifactType("system.Model")


def maker(name: str = "make", **more: object) -> Component:
    return Component(name, BOX, output_parameters={"rows": "STRING"}, output_artifacts={"data": DATASET}, **more)  # type: ignore[arg-type]


def found(*tasks: Task, parameters: dict[str, Parameter] | None = None) -> list[Finding]:
    root = Component("pipeline", Dag({task.name: task for task in tasks}), parameters or {})
    return lint(Graph("pipeline", root), lambda image: "")


def rules(*tasks: Task, **more: dict[str, Parameter]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.where) for finding in found(*tasks, **more)]


def test_a_text_that_goes_into_a_number_is_an_error() -> None:
    taker = Component("take", BOX, parameters={"n": Parameter("NUMBER_INTEGER")})
    findings = found(
        Task("make", maker(), caching=True),
        Task("take", taker, ("make",), {"n": Binding(FromTask("make", "rows"))}),
    )
    assert (findings[0].level, findings[0].rule, findings[0].where) == (Level.ERROR, "type-mismatch", "take")
    assert "NUMBER_INTEGER, it gets STRING (from make.rows)" in findings[0].message


def test_an_item_of_a_bare_list_may_be_anything() -> None:
    item = "pipelinechannel--held-loop-item"
    taker = Component("take", BOX, parameters={"n": Parameter("NUMBER_INTEGER")})
    body = Dag({"take": Task("take", taker, parameters={"n": Binding(FromInput(item))})})
    loop = Component("loop", body, parameters={item: Parameter("STRING")})
    assert rules(Task("loop", loop)) == []


@pytest.mark.parametrize(("value", "wrong"), [(1, False), (1.5, False), ([1], True), (True, True), ("{{x}}", False)])
def test_constants_are_compared_with_the_declared_type(value: object, wrong: bool) -> None:
    taker = Component("take", BOX, parameters={"n": Parameter("NUMBER_DOUBLE")})
    assert rules(Task("take", taker, parameters={"n": Binding(Constant(value))})) == (
        [("type-mismatch", "take")] if wrong else []
    )


@pytest.mark.parametrize(
    ("wanted", "wrong"),
    [
        (MODEL, True),
        (DATASET, False),
        (ArtifactType("system.Artifact"), False),
        (ArtifactType("system.Dataset", is_list=True), True),
    ],
)
def test_an_artifact_of_another_type_is_doubtful(wanted: ArtifactType, wrong: bool) -> None:
    taker = Component("take", BOX, artifacts={"data": ArtifactInput(wanted)})
    told = rules(
        Task("make", maker()), Task("take", taker, ("make",), artifacts={"data": Binding(FromTask("make", "data"))})
    )
    assert (("type-mismatch", "take") in told) is wrong


def test_outputs_that_nothing_reads_are_noted_where_others_of_the_task_are_read() -> None:
    taker = Component("take", BOX, parameters={"n": Parameter("STRING")})
    assert rules(Task("make", maker()), Task("take", taker, ("make",), {"n": Binding(FromTask("make", "rows"))})) == [
        ("unused-output", "make")
    ]
    assert rules(Task("make", maker())) == []


def test_a_name_that_an_outer_task_has_too_is_doubtful() -> None:
    inner = Component("inner", Dag({"make": Task("make", maker())}))
    assert rules(Task("make", maker()), Task("inner", inner)) == [("shadowed-name", "inner/make")]


def test_a_task_with_the_name_of_a_parameter_is_doubtful() -> None:
    told = rules(Task("train-model", maker()), parameters={"train_model": Parameter("STRING")})
    assert ("shadowed-name", "train-model") in told


@pytest.mark.parametrize(("image", "moving"), [("a/b", True), ("a/b:latest", True), ("a:5000/b:1", False)])
def test_an_image_without_a_fixed_tag_is_doubtful(image: str, moving: bool) -> None:
    body = Container(image, ("true",), (), memory=1 << 30)
    assert (("moving-image", "a") in rules(Task("a", Component("a", body)))) is moving

"""A PipelineSpec that cannot run says where, what was expected and what was found."""

from __future__ import annotations

import json

import pytest

from tests.spec.documents import bent, document
from tidegate import spec

INPUTS = "root.dag.tasks.add-2.inputs.parameters"
FROM_ADD = {"taskOutputParameter": {"producerTask": "add", "outputParameterKey": "Output"}}


def problems(whole: dict) -> dict[str, str]:
    with pytest.raises(spec.SpecError) as refused:
        spec.load(json.dumps(whole))
    return {problem.where: problem.message for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("path", "value", "where", "words"),
    [
        (
            "root.dag.tasks.add.componentRef.name",
            "comp-ad",
            "root.dag.tasks.add.componentRef",
            "did you mean 'comp-add'?",
        ),
        ("root.dag.tasks.add.dependentTasks", ["ad"], "root.dag.tasks.add.dependentTasks", "no task 'ad' here"),
        ("root.dag.tasks.add.dependentTasks", ["add-2"], "root.dag", "tasks wait for each other"),
        ("root.dag.tasks.add.dependentTasks", ["add"], "root.dag", "tasks wait for each other: add -> add"),
        (f"{INPUTS}.a", {"componentInputParameter": "n"}, f"{INPUTS}.a", "the enclosing pipeline has no parameter 'n'"),
        (f"{INPUTS}.a", {}, f"{INPUTS}.a", "bound to nothing"),
        (f"{INPUTS}.a", {"runtimeValue": {"constant": "many"}}, f"{INPUTS}.a", 'expected NUMBER_INTEGER, found "many"'),
        (f"{INPUTS}.a", {"runtimeValue": {"constant": [1]}}, f"{INPUTS}.a", "expected NUMBER_INTEGER, found [1.0]"),
        (f"{INPUTS}.a", ..., "root.dag.tasks.add-2.inputs", "parameter 'a' is required and bound to nothing"),
        (
            f"{INPUTS}.a.taskOutputParameter.outputParameterKey",
            "Out",
            f"{INPUTS}.a",
            "task 'comp-add' makes no parameter 'Out'; did you mean 'Output'?",
        ),
        (
            "components.comp-add.outputDefinitions.parameters.Output.parameterType",
            "LIST",
            f"{INPUTS}.a",
            "expects NUMBER_INTEGER, and output 'Output' is LIST",
        ),
        ("components.comp-add.executorLabel", "exec", "components.comp-add.executorLabel", "no executor 'exec'"),
        ("components.comp-add.executorLabel", ..., "components.comp-add", "expected `dag` or `executorLabel`"),
        (
            "deploymentSpec.executors.exec-add",
            {},
            "deploymentSpec.executors.exec-add",
            "expected a container or an importer, found nothing",
        ),
        (
            "deploymentSpec.executors.exec-add.container.image",
            "",
            "deploymentSpec.executors.exec-add.container",
            "no image",
        ),
        (
            "components.comp-add.outputDefinitions.artifacts",
            {"executor_output.json": {}},
            "components.comp-add.outputDefinitions",
            "cannot be called 'executor_output.json'",
        ),
        (
            "root.dag.outputs.parameters.Output.valueFromParameter.producerSubtask",
            "add-9",
            "root.dag.outputs.parameters.Output",
            "no task 'add-9' here",
        ),
        ("root.dag.tasks.a/b", {}, "root.dag.tasks", "'a/b' cannot be a name"),
        ("root.dag.tasks.a\x00", {}, "root.dag.tasks", "cannot be a name"),
        (f"root.dag.tasks.{'x' * 201}", {}, "root.dag.tasks", "1 to 200 bytes"),
    ],
)
def test_each_fault_is_told_with_its_place(path, value, where, words):
    assert words in problems(bent(path, value))[where]


def test_a_component_that_contains_itself_is_refused():
    whole = bent("components.comp-inner.dag.tasks.again.componentRef.name", "comp-inner", "nested")
    assert "a component contains itself" in problems(whole)["components"]


def test_a_loop_over_nothing_is_refused():
    whole = bent("root.dag.tasks.for-loop-1.parameterIterator.items.inputParameter", "other", "loop over output")
    assert "iterates over the input 'other'" in problems(whole)["root.dag.tasks.for-loop-1.parameter_iterator"]


def test_all_faults_are_told_at_once():
    whole = bent(f"{INPUTS}.a", {})
    whole["components"]["comp-add"]["executorLabel"] = "exec"
    assert len(problems(whole)) == 2


def test_text_may_become_anything_until_the_run_shows_it():
    whole = bent("components.comp-add.outputDefinitions.parameters.Output.parameterType", "STRING")
    whole["root"]["outputDefinitions"]["parameters"]["Output"]["parameterType"] = "STRING"
    assert spec.load(json.dumps(whole)).name == "chain"


def test_a_document_of_kfp_has_no_faults():
    assert spec.load(json.dumps(document())).name == "chain"

"""From the IR to the graph: what kfp's compiler and kfp-kubernetes write, in our words."""

import json
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl, kubernetes

from tests.local.pipelines import PIPELINES, add, say
from tests.local.playing import compiled, play
from tests.spec.documents import bent, document
from tidegate import spec
from tidegate.graph import Dag, Graph, Task
from tidegate.graph.build import MAX_TASKS, build
from tidegate.graph.model import Binding, Constant, FromInput, FromTask, Iteration, Retry
from tidegate.graph.work import EnvFrom


def graph_of(pipeline: Any, folder: Path) -> Graph:
    return compiled(pipeline, folder)[0]


def tasks_of(graph: Graph) -> dict[str, Task]:
    assert isinstance(graph.root.body, Dag)
    return dict(graph.root.body.tasks)


def case(name: str) -> Any:
    return next(case.pipeline for case in PIPELINES if case.name == name)


def test_a_chain(tmp_path):
    graph = graph_of(case("chain"), tmp_path)
    tasks = tasks_of(graph)
    assert list(tasks) == ["add", "add-2"]
    assert tasks["add"].parameters == {"a": Binding(Constant(1)), "b": Binding(Constant(2))}
    assert tasks["add-2"].parameters["a"] == Binding(FromTask("add", "Output"))
    assert tasks["add-2"].after == ("add",)
    assert tasks["add-2"].component.name == "add"
    assert graph.root.body.followers == {"add": ("add-2",), "add-2": ()}
    assert graph.root.body.parameters == {"Output": (FromTask("add-2", "Output"),)}
    assert graph.root.size == 3


def test_a_loop(tmp_path):
    loop = tasks_of(graph_of(case("loop"), tmp_path))["for-loop-2"]
    assert loop.iteration == Iteration("pipelinechannel--loop-item-param-1", Constant([1, 2, 3]), False, 2)


def test_a_loop_over_artifacts(tmp_path):
    iteration = tasks_of(graph_of(case("loop over artifacts"), tmp_path))["for-loop-1"].iteration
    assert iteration.artifacts and isinstance(iteration.over, FromInput)


def test_a_field_of_an_item_is_picked(tmp_path):
    loop = tasks_of(graph_of(case("loop over objects"), tmp_path))["for-loop-2"]
    assert loop.component.body.tasks["add"].parameters["a"].path == ("a",)


def test_retries(tmp_path):
    @dsl.pipeline
    def retried():
        add(a=1, b=1).set_retry(3, backoff_duration="10s", backoff_factor=3.0, backoff_max_duration="60s")

    retry = tasks_of(graph_of(retried, tmp_path))["add"].retry
    assert retry == Retry(3, 10.0, 3.0, 60.0)
    assert [retry.delay(failures) for failures in (1, 2, 3, 4, 10_000)] == [10, 30, 60, 60, 60]


def test_retries_of_a_nested_pipeline_are_reported_not_forgotten(tmp_path):
    @dsl.pipeline
    def inner():
        add(a=1, b=1)

    @dsl.pipeline
    def outer():
        inner().set_retry(2)

    assert graph_of(outer, tmp_path).ignored == (
        "inner: retries of a nested pipeline as a whole; give them to its tasks",
    )


def test_caching_options(tmp_path):
    @dsl.pipeline
    def cached():
        add(a=1, b=1).set_caching_options(False)
        add(a=1, b=1).set_caching_options(True, cache_key="mine")

    tasks = tasks_of(graph_of(cached, tmp_path))
    assert [(task.caching, task.cache_key) for task in tasks.values()] == [(False, ""), (True, "mine")]


def test_resources_and_environment(tmp_path):
    @dsl.pipeline
    def asking():
        task = add(a=1, b=1).set_cpu_limit("1500m").set_memory_request("2Gi").set_env_variable("A", "1")
        task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(2)

    graph = graph_of(asking, tmp_path)
    container = tasks_of(graph)["add"].component.body
    assert (container.cpu, container.memory, container.accelerators) == (1.5, 2 * 2**30, 2)
    assert container.env == {"A": "1"}
    assert graph.ignored == ("exec-add: 2 x nvidia.com/gpu",)


@dsl.pipeline
def on_kubernetes(secret: str = "from-a-parameter"):
    kubernetes.use_secret_as_env(say(text="a"), "fixed", {"k": "A"}, optional=True)
    kubernetes.use_config_map_as_env(say(text="b"), "config", {"k": "B"})
    kubernetes.use_secret_as_env(say(text="c"), secret, {"k": "C"})
    kubernetes.use_secret_as_env(say(text="d"), say(text="made").output, {"k": "D"})
    kubernetes.set_timeout(say(text="e"), 60)
    kubernetes.add_node_selector(say(text="f"), "disk", "ssd")
    kubernetes.set_image_pull_policy(say(text="g"), "Always")


def test_secrets_and_config_maps_become_variables(tmp_path):
    graph, parameters = compiled(on_kubernetes, tmp_path)
    played = play(graph, lambda work, attempt: {"Output": work.parameters["text"]}, parameters)
    assert [played.works[name].executor.env_from for name in ("say", "say-2", "say-3", "say-4")] == [
        (EnvFrom("A", "secret", "fixed", "k", True),),
        (EnvFrom("B", "config map", "config", "k"),),
        (EnvFrom("C", "secret", "from-a-parameter", "k"),),
        (EnvFrom("D", "secret", "made", "k"),),
    ]
    assert played.works["say-3"].parameters == {"text": "c"}


def test_the_platform_spec_is_honoured_or_reported(tmp_path):
    graph = graph_of(on_kubernetes, tmp_path)
    assert tasks_of(graph)["say-6"].component.timeout == 60
    assert graph.ignored == ("exec-say-7: nodeSelector",)


def test_a_task_config_hands_settings_on(tmp_path):
    @dsl.component(
        base_image="python:3.11",
        task_config_passthroughs=[
            dsl.TaskConfigField.RESOURCES,
            dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
        ],
    )
    def launch(task_config: dsl.TaskConfig):
        pass

    @dsl.pipeline
    def launching():
        launch().set_cpu_limit("64").set_env_variable("A", "1")

    work = play(graph_of(launching, tmp_path), lambda work, attempt: {}).works["launch"]
    assert work.parameters["task_config"] == {
        "resources": {"limits": {"cpu": "64"}, "requests": {}},
        "env": [{"name": "A", "value": "1"}],
    }
    assert (work.executor.cpu, work.executor.env) == (0.0, {"A": "1"})


def test_a_component_alone_becomes_a_dag_of_one_task(tmp_path):
    graph, parameters = compiled(add, tmp_path, {"a": 1, "b": 2})
    assert play(graph, lambda work, attempt: {"Output": 3}, parameters).outputs == {"Output": 3}


@pytest.mark.parametrize(
    ("path", "value", "name", "words"),
    [
        ("root.dag.tasks.condition-branches-1.triggerPolicy.condition", "1 +", "if", "triggerPolicy: condition '1 +'"),
        (
            "deploymentSpec.executors.exec-add.container.resources",
            {"resourceCpuLimit": "many"},
            "chain",
            "expected cores, such as `500m` or `2`, found 'many'",
        ),
        (
            "deploymentSpec.executors.exec-add.container.resources",
            {"memoryLimit": -1},
            "chain",
            "a quantity is negative or no number",
        ),
        ("root.dag.tasks.for-loop-2.parameterIterator.items.raw", "{}", "loop", "items.raw: expected a JSON list"),
        (
            "root.dag.tasks.add-2.inputs.parameters.a.parameterExpressionSelector",
            "eval()",
            "chain",
            "expected parseJson(string_value)[...]",
        ),
    ],
)
def test_what_only_the_meaning_shows_to_be_wrong_is_refused(path, value, name, words):
    with pytest.raises(spec.SpecError) as refused:
        build(spec.load(json.dumps(bent(path, value, name))))
    assert words in str(refused.value)


def test_a_small_file_that_spells_out_too_many_tasks_is_refused():
    whole = document()
    task = {"componentRef": {"name": "comp-0"}}
    whole["components"]["comp-0"] = {"dag": {"tasks": {"leaf": whole["root"]["dag"]["tasks"]["add"]}}}
    for level in range(1, 18):
        inner = {"componentRef": {"name": f"comp-{level - 1}"}}
        whole["components"][f"comp-{level}"] = {"dag": {"tasks": {"one": inner, "two": inner}}}
        task = {"componentRef": {"name": f"comp-{level}"}}
    whole["root"]["dag"]["tasks"]["bomb"] = task
    with pytest.raises(spec.SpecError, match=f"tasks; at most {MAX_TASKS} are run"):
        build(spec.load(json.dumps(whole)))

"""The compiler: what it makes of pipelines, what it refuses, and how big it gets."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kfp import dsl, kubernetes

from tests.argo.pipelines import chain, loops, pods
from tests.conformance.case import compiled
from tests.conformance.cases import CASES
from tests.conformance.components import add, say
from tidegate.argo import expressions, runner
from tidegate.argo.compiling import compile, workflow
from tidegate.argo.options import Options, Pods
from tidegate.argo.text import manifests
from tidegate.graph.build import build
from tidegate.graph.expressions import parse
from tidegate.graph.model import Graph
from tidegate.spec import SpecError, load


def graph_of(pipeline: Any) -> Graph:
    return build(load(compiled(pipeline)))


def template(documents: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(each for each in documents[-1]["spec"]["templates"] if each["name"] == name)


@pytest.mark.parametrize("case", CASES[::7], ids=lambda case: case.name)
def test_the_same_input_gives_the_same_bytes(case: Any) -> None:
    try:
        texts = {manifests(compile(build(load(case.ir)), Options(), b"")) for _ in range(2)}
    except SpecError:
        return
    assert len(texts) == 1


def test_a_component_used_often_is_one_template_and_one_source() -> None:
    documents = compile(graph_of(chain), Options(), b"")

    assert [each["name"] for each in documents[-1]["spec"]["templates"]] == ["chain", "add", "say"]
    assert sorted(documents[1]["data"]) == ["add.json", "add.py", "say.json", "say.py"]
    assert "return a + b" not in json.dumps(documents[-1])


def test_a_thousand_tasks_stay_far_below_what_etcd_takes() -> None:
    @dsl.pipeline(name="wide")
    def wide():
        last = add(a=0, b=0)
        for number in range(999):
            last = add(a=number, b=last.output)

    documents = compile(graph_of(wide), Options(), b"")

    assert len(template(documents, "wide")["dag"]["tasks"]) == 1000
    assert len(json.dumps(documents[-1])) < 400_000


def test_every_container_is_restricted_and_names_its_command() -> None:
    documents = compile(graph_of(pods), Options(), b"")
    containers = []
    for each in documents[-1]["spec"]["templates"]:
        containers += [each["container"]] if "container" in each else []
        containers += [*each.get("initContainers", ()), *each.get("containerSet", {}).get("containers", ())]

    assert len(containers) == 5
    for container in containers:
        assert container["command"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert documents[-1]["spec"]["securityContext"]["runAsNonRoot"] is True


def test_without_caching_nothing_is_memoised() -> None:
    assert "memoize" in template(compile(graph_of(chain), Options(), b""), "add")
    assert "memoize" not in template(compile(graph_of(chain), Options(caching=False), b""), "add")


def test_an_image_is_part_of_what_makes_work_the_same() -> None:
    def key(image: str) -> str:
        found = template(compile(graph_of(chain), Options(images={"python:*": image}), b""), "add")
        return str(found["memoize"]["key"])

    assert key("host:1") == key("host:1") != key("host:2")


def test_a_projects_policy_gives_way_to_the_component() -> None:
    policy = Pods(limits={"memory": "1G", "cpu": "1"}, node_selector={"zone": "a"})
    found = template(compile(graph_of(pods), Options(pods=policy), b""), "train")

    assert found["container"]["resources"]["limits"] == {"memory": "4G", "cpu": "2", "nvidia.com/gpu": "1"}
    assert found["nodeSelector"] == {"zone": "a", "pool": "gpu"}
    assert {"name": "PRICE", "value": "5$$"} in found["container"]["env"]  # Kubernetes reads `$$` as `$`


def test_a_run_gives_what_a_person_would_type() -> None:
    documents = compile(graph_of(chain), Options(namespace="ml"), b"")
    run = workflow(documents[-1], {"a": 5, "name": "{{x}}"}, graph_of(chain), "chain-1")

    assert run["metadata"]["namespace"] == "ml" and run["metadata"]["name"] == "chain-1"
    assert run["spec"] == {
        "workflowTemplateRef": {"name": "chain"},
        "arguments": {"parameters": [{"name": "a", "value": "5"}, {"name": "name", "value": 'json:"{\\u007bx}}"'}]},
    }


def test_what_argo_has_no_way_to_say_is_refused_with_task_and_reason() -> None:
    @dsl.pipeline(pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")))
    def odd(claim: str):
        kubernetes.mount_pvc(say(text="x"), claim, "/data")
        say(text="{{$.workspace_path}}/note")

    with pytest.raises(SpecError) as refused:
        compile(graph_of(odd), Options(), b"")

    assert str(refused.value).splitlines() == [
        "say: mount_pvc: the claim's name comes from the run; create the claim before, and give its name",
        "say-2: a workspace that tasks share is not made on Argo; mount a claim (kubernetes.mount_pvc)",
    ]


def test_a_comparison_that_fails_in_every_run_is_refused() -> None:
    texts = {"n": ("N", "NUMBER_INTEGER"), "s": ("S", "STRING")}

    with pytest.raises(expressions.Inexpressible, match="a number > a text: make both sides one type"):
        expressions.condition(parse("inputs.parameter_values['n'] > inputs.parameter_values['s']").root, texts)


@given(st.text())
def test_a_literal_has_no_braces(text: str) -> None:
    assert "{" not in (found := expressions.literal(text)) and "}" not in found


@pytest.mark.parametrize(
    ("condition", "expression"),
    [
        ("inputs.parameter_values['n'] == 3", "({n} == 3)"),
        ("inputs.parameter_values['s'] == '3'", '({s} == "3")'),
        ("inputs.parameter_values['n'] == '3'", '(N == "3")'),
        ("!(inputs.parameter_values['b'] == true) && int(inputs.parameter_values['s']) >= 2",
         "(!(({b} == true)) && (int(float({s})) >= 2))"),
    ],
)  # fmt: skip
def test_conditions_in_argos_words(condition: str, expression: str) -> None:
    texts = {"n": ("N", "NUMBER_INTEGER"), "s": ("S", "STRING"), "b": ("B", "BOOLEAN")}
    values = {
        name: expressions.given(text, f"the condition reads {name!r}, which has no value")
        for name, (text, _) in texts.items()
    }

    assert expressions.condition(parse(condition).root, texts) == expression.format(**values)


def test_a_loop_keeps_its_limit_and_its_retries() -> None:
    documents = compile(graph_of(loops), Options(), b"")

    assert template(documents, "for-loop-1-loop")["parallelism"] == 2
    assert template(documents, "say")["retryStrategy"]["backoff"] == {"duration": "10s", "factor": "2", "cap": "60s"}


def test_the_runner_goes_along_in_one_file_named_by_its_content() -> None:
    documents = compile(graph_of(chain), Options(), runner.archive())

    assert documents[0]["metadata"]["name"] == f"tidegate-runner-{runner.digest()[:10]}"

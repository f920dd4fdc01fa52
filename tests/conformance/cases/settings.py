"""What tasks get beside their inputs: variables, secrets, resources, platform settings, a workspace; and IR files."""

# ruff: noqa: PTH123 - what kfp reads

import json

import yaml
from kfp import dsl, kubernetes

from tests.conformance.case import Case, Made, compiled, document, text
from tests.conformance.components import add, component, joined, say, total, variable, write


@dsl.pipeline
def constants(name: str = "Ada") -> str:
    task = variable(name="GREETING")
    task.set_env_variable("GREETING", 'Hello, "you" $HOME')
    return task.output


@dsl.pipeline
def secret_as_env() -> str:
    task = variable(name="PASSWORD")
    kubernetes.use_secret_as_env(task, secret_name="database", secret_key_to_env={"password": "PASSWORD"})
    return task.output


@dsl.pipeline
def secret_by_parameter(which: str = "database") -> str:
    task = variable(name="PASSWORD")
    kubernetes.use_secret_as_env(task, secret_name=which, secret_key_to_env={"password": "PASSWORD"})
    return task.output


@dsl.pipeline
def optional_secret() -> str:
    task = variable(name="PASSWORD")
    kubernetes.use_secret_as_env(task, secret_name="none", secret_key_to_env={"password": "PASSWORD"}, optional=True)
    return task.output


@dsl.pipeline
def secret_in_a_loop() -> str:
    with dsl.ParallelFor(["database", "queue"]) as which:
        task = variable(name="PASSWORD")
        kubernetes.use_secret_as_env(task, secret_name=which, secret_key_to_env={"password": "PASSWORD"})
    return joined(values=dsl.Collected(task.output)).output


def as_kfp_2_13_names_it() -> str:
    """kfp-kubernetes before 2.14 gave inputs of groups the names that they have outside."""
    first, second = compiled(secret_in_a_loop).split("\n---\n")
    assert "pipelinechannel--loop-item-param-1" in second
    return f"{first}\n---\n{second.replace('pipelinechannel--loop-item', 'loop-item')}"


@dsl.pipeline
def config_map_as_env() -> str:
    task = variable(name="REGION")
    kubernetes.use_config_map_as_env(task, config_map_name="site", config_map_key_to_env={"region": "REGION"})
    return task.output


@dsl.pipeline
def resources(cpu: str = "200m", memory: str = "256Mi") -> int:
    first = (
        add(a=1, b=1).set_cpu_request("100m").set_cpu_limit("1").set_memory_request("64Mi").set_memory_limit("512Mi")
    )
    return add(a=first.output, b=1).set_cpu_limit(cpu).set_memory_limit(memory).output


@dsl.pipeline
def too_much() -> int:
    return add(a=1, b=1).set_memory_limit("900Ti").output


@dsl.pipeline
def no_quantity(memory: str = "lots") -> int:
    return add(a=1, b=1).set_memory_limit(memory).output


@dsl.pipeline
def of_a_cluster() -> str:
    task = say(text="anywhere")
    kubernetes.add_node_selector(task, "disk", "fast")
    kubernetes.add_pod_label(task, "team", "a")
    kubernetes.add_pod_annotation(task, "note", "b")
    kubernetes.add_toleration(task, key="k", operator="Exists")
    kubernetes.set_image_pull_policy(task, "IfNotPresent")
    return task.output


@component
def leave(folder: str, text: str):
    with open(f"{folder}/note", "w") as file:
        file.write(text)


@component
def take(path: str) -> str:
    return open(path).read()


@dsl.pipeline(
    pipeline_config=dsl.PipelineConfig(
        workspace=dsl.WorkspaceConfig(
            size="1Gi", kubernetes=dsl.KubernetesWorkspaceConfig(pvcSpecPatch={"accessModes": ["ReadWriteOnce"]})
        )
    )
)
def workspace() -> str:
    put = leave(folder=dsl.WORKSPACE_PATH_PLACEHOLDER, text="shared")
    return take(path=f"{dsl.WORKSPACE_PATH_PLACEHOLDER}/note").after(put).output


@dsl.component(
    base_image="python:3.11",
    install_kfp_package=False,
    task_config_passthroughs=[
        dsl.TaskConfigField.RESOURCES,
        dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
    ],
)
def hands_on(config: dsl.TaskConfig) -> str:
    import json

    env = {each["name"]: each["value"] for each in config.env}
    return json.dumps({"env": env, "limits": config.resources["limits"]}, sort_keys=True)


@dsl.pipeline
def task_config() -> str:
    task = hands_on()
    task.set_cpu_limit("512").set_memory_limit("9000Gi")
    task.set_env_variable("MODE", "fast")
    return task.output


@dsl.pipeline
def summed(n: int = 1, words: str = "w") -> int:
    with dsl.ParallelFor([1, 2]) as item:
        each = add(a=item, b=n)
    say(text=words)
    return total(values=dsl.Collected(each.output)).output


def vertex_job() -> str:
    """A job as Vertex takes it: JSON, the pipeline inside, values beside it."""
    job = {
        "displayName": "a job",
        "pipelineSpec": document(summed),
        "runtimeConfig": {"parameterValues": {"n": 10}, "gcsOutputDirectory": "gs://bucket/root"},
    }
    return json.dumps(job)


def two_documents() -> str:
    """Pipeline and platform spec, as kfp-kubernetes writes them."""
    both = compiled(secret_as_env)
    assert both.count("\n---\n") == 1
    return both


def as_json() -> str:
    return json.dumps(document(summed))


@dsl.pipeline
def old(n: int = 2) -> int:
    return add(a=n, b=1).output


def of_kfp_2_0_beta() -> str:
    """Types as `type: INT`, constants as `constantValue`."""
    ir = document(old)
    types = {"NUMBER_INTEGER": "INT", "STRING": "STRING"}
    for each in [*ir["components"].values(), ir["root"]]:
        for side in ("inputDefinitions", "outputDefinitions"):
            for declared in each.get(side, {}).get("parameters", {}).values():
                declared["type"] = types[declared.pop("parameterType")]
    ir["root"]["dag"]["tasks"]["add"]["inputs"]["parameters"]["b"] = {
        "runtimeValue": {"constantValue": {"intValue": "5"}}
    }
    ir["sdkVersion"] = "kfp-2.0.0-beta.0"
    return text(ir)


def manifest() -> str:
    """As `kubectl apply` takes it: a PipelineVersion with both specs inside."""
    pipeline, platform = yaml.load_all(compiled(secret_as_env), yaml.CSafeLoader)
    return text(
        {
            "apiVersion": "pipelines.kubeflow.org/v2beta1",
            "kind": "PipelineVersion",
            "metadata": {"name": "secret"},
            "spec": {"pipelineName": "secret", "pipelineSpec": pipeline, "platformSpec": platform},
        }
    )


@dsl.pipeline
def given_nothing() -> dsl.Dataset:
    return write(text="").outputs["data"]


DATABASE = {"database": {"password": "s3cret $x"}}

CASES = (
    Case("env: constants", constants, {"Output": 'Hello, "you" $HOME'}, ran=1),
    Case("secrets as env", secret_as_env, {"Output": "s3cret $x"}, ran=1, secrets=DATABASE),
    Case("secrets as env: named by a parameter", secret_by_parameter, {"Output": "s3cret $x"}, ran=1, secrets=DATABASE),
    Case("secrets as env: optional, not there", optional_secret, {"Output": "(none)"}, ran=1),
    Case(
        "secrets as env: not there",
        secret_by_parameter,
        {},
        {"which": "nowhere"},
        state="failed",
        failed={"variable": "nowhere"},
        ran=1,
        again=None,
    ),
    Case(
        "secrets as env: in a loop, named by its item",
        secret_in_a_loop,
        {"Output": "s3cret $x+q"},
        ran=3,
        secrets={**DATABASE, "queue": {"password": "q"}},
    ),
    Case(
        "IR files: a secret's name as kfp 2.13 has it",
        as_kfp_2_13_names_it,
        {"Output": "s3cret $x+q"},
        ran=3,
        backend="not known",
        secrets={**DATABASE, "queue": {"password": "q"}},
    ),
    Case(
        "config maps as env",
        config_map_as_env,
        {"Output": "eu-west"},
        ran=1,
        config_maps={"site": {"region": "eu-west"}},
    ),
    Case("resources: requests and limits, from parameters too", resources, {"Output": 3}, ran=2),
    Case("resources: more than there is", too_much, state="failed", failed={"add": "memory"}, ran=1),
    Case("resources: no quantity", no_quantity, state="failed", failed={"add": "found 'lots'"}, ran=1),
    Case("platform settings: what only a cluster has", of_a_cluster, {"Output": "anywhere"}, ran=1),
    Case("workspace: shared by tasks", workspace, {"Output": "shared"}, ran=2, again=None),
    Case(
        "TaskConfig: settings handed on",
        task_config,
        {"Output": '{"env": {"MODE": "fast"}, "limits": {"cpu": "512", "memory": "9000Gi"}}'},
        ran=1,
    ),
    Case("IR files: two documents", two_documents, {"Output": "s3cret $x"}, ran=1, secrets=DATABASE),
    Case("IR files: a job of Vertex", vertex_job, {"Output": 23}, ran=4, backend="no: Vertex AI takes them"),
    Case(
        "IR files: a job of Vertex, with values over its own",
        vertex_job,
        {"Output": 5},
        {"n": 1},
        ran=4,
        backend="no: Vertex AI takes them",
    ),
    Case("IR files: JSON", as_json, {"Output": 5}, ran=4),
    Case("IR files: types of kfp 2.0 betas", of_kfp_2_0_beta, {"Output": 7}, ran=1, backend="not known"),
    Case("IR files: a Kubernetes manifest", manifest, {"Output": "s3cret $x"}, ran=1, secrets=DATABASE),
    Case("artifacts: an empty file", given_nothing, {"Output": Made("", "system.Dataset", {"length": 0})}, ran=1),
)

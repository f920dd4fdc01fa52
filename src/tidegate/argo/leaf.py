"""Templates of the steps: one a component, for each set of a task's own settings (retries, caching)."""

from __future__ import annotations

from typing import Any

from tidegate.argo import caching, expressions, images, platform, storage
from tidegate.argo.arguments import undeclared
from tidegate.argo.images import Way
from tidegate.argo.options import Options
from tidegate.argo.placeholders import expression_of
from tidegate.argo.step import places
from tidegate.argo.step.main import NOT_AGAIN
from tidegate.argo.step.spec import encode
from tidegate.graph.model import Component, Dag, Retry, Task
from tidegate.graph.work import Container, EnvFrom, Importer

RUNNER_FILE = "tidegate.pyz"
WORK_VOLUME, STEPS_VOLUME, RUNNER_VOLUME, TEMPORARY_VOLUME = "tidegate", "tidegate-steps", "tidegate-runner", "tmp"
_RUNNER = ("python3", "-u", f"{places.RUNNER}/{RUNNER_FILE}")
UNSET = "null"
"""The text of an input that no task gives."""


def step_of(component: Component) -> tuple[dict[str, Any], str]:
    """The component, for the file that its pods read, and the source that goes into another (see `step.spec`)."""
    body = component.body
    dynamic = {name: value for name, value in body.env.items() if "{{" in value} if isinstance(body, Container) else {}
    return encode(component, dynamic)


def leaf(task: Task, spec_file: str, prefix: str, options: Options) -> dict[str, Any]:
    """The template, without its name.

    `spec_file`: the name of the step's file. `prefix`: of the keys of artifacts. Raises: Inexpressible.
    """
    component = task.component
    body = component.body
    assert not isinstance(body, Dag)
    container = body if isinstance(body, Container) else _importing(options)
    image = images.on_cluster(container.image, options)
    if "{{" in image:
        image = expressions.tag(expression_of(image, _types(task)))
    key = f"{prefix}/{{{{workflow.name}}}}/{{{{pod.name}}}}"
    fields, mounts = platform.pod(container, options)
    metadata = fields.pop("metadata", {})
    labels = {"tidegate.io/component": _label(component.name), **metadata.get("labels", {})}
    template: dict[str, Any] = {
        "metadata": {**metadata, "labels": labels},
        "inputs": _inputs(task, options),
        "outputs": _outputs(component, key, options),
        **fields,
    }
    if task.caching and options.caching and not isinstance(body, Importer):
        template["memoize"] = caching.memoize(component, image, task.cache_key, undeclared(task), options)
    if task.retry.attempts:
        template["retryStrategy"] = _retries(task.retry)
    if user := platform.security(container):
        template["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}, **user}
    if patch := _patch(task):
        template["podSpecPatch"] = patch
    inside = isinstance(body, Importer) or images.way(container, options) is Way.INSIDE
    build = _inside if inside else _beside
    template |= build(task, container, image, spec_file, key, mounts, options)
    return _without_empty(template)


def _importing(options: Options) -> Container:
    return Container(options.host_image, (), ())


def _inputs(task: Task, options: Options) -> dict[str, Any]:
    component = task.component
    names = [*component.parameters, *component.artifacts, *undeclared(task)]
    artifacts: list[dict[str, Any]] = []
    if names:
        lines = "".join(f"{name} {{{{inputs.parameters.{name}}}}}\n" for name in names)
        artifacts.append({"name": "given", "path": places.GIVEN, "raw": {"data": lines}})
    for name, each in component.artifacts.items():
        artifacts += storage.inputs(name, options.lists if each.type.is_list else 1, options.storage)
    if isinstance(component.body, Importer):
        types = {name: each.type for name, each in component.parameters.items()}
        uri = expression_of(component.body.uri, types)
        artifacts.append(storage.imported(uri, options.repository, options.storage))
    return {"parameters": [{"name": name, "value": UNSET} for name in names], "artifacts": artifacts}


def _outputs(component: Component, key: str, options: Options) -> dict[str, Any]:
    names = [*component.output_parameters, *component.output_artifacts]
    imported = isinstance(component.body, Importer)
    return {
        "parameters": [
            {"name": name, "valueFrom": {"path": f"{places.RESULTS}/{name}", "default": UNSET}} for name in names
        ],
        "artifacts": []
        if imported
        else [storage.output(name, key, options.storage) for name in component.output_artifacts],
    }


def _retries(retry: Retry) -> dict[str, Any]:
    found: dict[str, Any] = {
        "limit": str(retry.attempts),
        "retryPolicy": "Always",
        "expression": f"lastRetry.exitCode != '{NOT_AGAIN}'",
    }
    if retry.backoff > 0:
        found["backoff"] = {
            "duration": _seconds(retry.backoff),
            "factor": f"{retry.factor:g}",
            "cap": _seconds(retry.limit),
        }
    return found


def _inside(
    task: Task, container: Container, image: str, spec_file: str, key: str, mounts: list[Any], options: Options
) -> dict[str, Any]:
    """The step runner does it all, by the image's own Python."""
    said: dict[str, Any] = {
        "image": image,
        "imagePullPolicy": platform.pull_policy(container, options),
        "command": [*_RUNNER, "run", f"{places.STEPS}/{spec_file}"],
        "env": [*_step_env(key), *_importers(task, options), *_env(task, container, options)],
        "resources": platform.resources(container, options),
        "securityContext": _restricted(options.pods.read_only_root),
        "volumeMounts": [*_mounts(), *mounts],
    }
    return {"container": said}


def _beside(
    task: Task, container: Container, image: str, spec_file: str, key: str, mounts: list[Any], options: Options
) -> dict[str, Any]:
    """tidegate's image gets the task ready and collects what it made; the task's image need not have anything."""

    def ours(mode: str) -> dict[str, Any]:
        return {
            "image": options.host_image,
            "imagePullPolicy": options.pods.image_pull_policy,
            "command": [*_RUNNER, mode, f"{places.STEPS}/{spec_file}"],
            "env": _step_env(key),
            "securityContext": _restricted(True),
        }

    main: dict[str, Any] = {
        "name": "main",
        "image": image,
        "imagePullPolicy": platform.pull_policy(container, options),
        "command": [places.SHELL, "sh", places.SCRIPT],
        "env": _env(task, container, options),
        "resources": platform.resources(container, options),
        "securityContext": _restricted(False),
        "volumeMounts": mounts,
    }
    after = {"name": "outputs", **ours("collect"), "dependencies": ["main"]}
    return {
        "initContainers": [{"name": "prepare", **ours("prepare"), "volumeMounts": _mounts()}],
        "containerSet": {
            "volumeMounts": _mounts(),
            "containers": [_without_empty(main), after],
        },
    }


def _step_env(key: str) -> list[dict[str, str]]:
    values = {
        "TIDEGATE_RUN": "{{workflow.name}}",
        "TIDEGATE_RUN_UID": "{{workflow.uid}}",
        "TIDEGATE_RUN_CREATED": "{{workflow.creationTimestamp.RFC3339}}",
        "TIDEGATE_NODE": "{{node.name}}",
        "TIDEGATE_KEY": key,
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def _importers(task: Task, options: Options) -> list[dict[str, str]]:
    wanted = isinstance(task.component.body, Importer) and options.repository
    return [{"name": "TIDEGATE_REPOSITORY", "value": options.repository}] if wanted else []


def _env(task: Task, container: Container, options: Options) -> list[dict[str, Any]]:
    fixed = {"HOME": places.HOME, "TMPDIR": places.TEMPORARY, "PYTHONHASHSEED": "0"}
    own = platform.env(container, options)
    known = {each["name"] for each in own}
    found = [{"name": name, "value": value} for name, value in fixed.items() if name not in known]
    return [*found, *own, *(_from(each, task) for each in container.env_from)]


def _from(each: EnvFrom, task: Task) -> dict[str, Any]:
    kind = "secretKeyRef" if each.kind == "secret" else "configMapKeyRef"
    name = each.name
    if "{{" in name:
        name = expressions.tag(expression_of(name, _types(task)))
    reference = {"name": name, "key": each.key} | ({"optional": True} if each.optional else {})
    return {"name": each.variable, "valueFrom": {kind: reference}}


def _patch(task: Task) -> str:
    """Resources that quote the task's inputs: fields of a template hold quantities, and no expressions."""
    body = task.component.body
    if not isinstance(body, Container):
        return ""
    types = _types(task)
    found = {
        kind: {name: f"toJson({expression_of(text, types)})" for name, text in said.items() if "{{" in text}
        for kind, said in body.quantities.items()
    }
    found = {kind: said for kind, said in found.items() if said}
    if not found:
        return ""
    # Argo fills the patch in before it is read as JSON: the expressions stand in it bare, and give JSON themselves.
    kinds = [
        f'"{kind}": {{' + ", ".join(f'"{name}": {expressions.tag(text)}' for name, text in said.items()) + " }"
        for kind, said in found.items()
    ]
    return '{"containers": [{"name": "main", "resources": {' + ", ".join(kinds) + "}}]}"


def _types(task: Task) -> dict[str, str]:
    """Of the template's inputs; empty where the component declares none."""
    return dict.fromkeys(undeclared(task), "") | {name: each.type for name, each in task.component.parameters.items()}


def _restricted(read_only: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return found | ({"readOnlyRootFilesystem": True} if read_only else {})


def _mounts() -> list[dict[str, Any]]:
    return [
        {"name": WORK_VOLUME, "mountPath": places.ROOT},
        {"name": TEMPORARY_VOLUME, "mountPath": places.TEMPORARY},
        {"name": STEPS_VOLUME, "mountPath": places.STEPS},
        {"name": RUNNER_VOLUME, "mountPath": places.RUNNER},
    ]


def _without_empty(said: dict[str, Any]) -> dict[str, Any]:
    """Without what would say nothing, two levels deep."""
    found = {
        name: {inner: each for inner, each in value.items() if each not in ([], {}, "")}
        if isinstance(value, dict) and name in ("inputs", "outputs", "container")
        else value
        for name, value in said.items()
    }
    return {name: value for name, value in found.items() if value not in ([], {}, "")}


def _seconds(seconds: float) -> str:
    return f"{seconds:g}s"


def _label(text: str) -> str:
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in text)
    return kept[:63].strip("-_.")

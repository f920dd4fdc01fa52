"""dsl.TaskConfig: settings that a component hands on to what it starts, instead of having them itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tidegate.graph.work import Container
from tidegate.spec.messages import pb

_FIELD = pb.TaskConfigPassthroughType.TaskConfigPassthroughTypeEnum
_OF_PLATFORM = {
    _FIELD.KUBERNETES_TOLERATIONS: ("tolerations", "tolerations"),
    _FIELD.KUBERNETES_NODE_SELECTOR: ("nodeSelector", "nodeSelector"),
    _FIELD.KUBERNETES_AFFINITY: ("affinity", "nodeAffinity"),
}
"""Passthrough -> TaskConfig's field, and the platform spec's."""


def split(
    component: pb.ComponentSpec, spec: Any, settings: Mapping[str, Any], container: Container
) -> tuple[Container, Mapping[str, Any] | None]:
    """The container without what is only handed on, and the TaskConfig; None where the component takes none.

    `spec`: the IR's container. `settings`: its platform spec.
    """
    if not component.task_config_passthroughs:
        return container, None
    found: dict[str, Any] = {}
    for passed in component.task_config_passthroughs:
        if passed.field == _FIELD.RESOURCES:
            found["resources"] = quantities(spec.resources)
            if not passed.apply_to_task:
                container = replace(container, cpu=0.0, memory=0, accelerators=0, quantities={})
        elif passed.field == _FIELD.ENV:
            found["env"] = [{"name": name, "value": value} for name, value in container.env.items()]
            if not passed.apply_to_task:
                container = replace(container, env={}, env_from=())
        elif passed.field in _OF_PLATFORM:
            name, said = _OF_PLATFORM[passed.field]
            if said in settings:
                found[name] = settings[said]
            if not passed.apply_to_task:
                kept = {key: value for key, value in container.platform.items() if key != said}
                container = replace(container, platform=kept)
    return container, found


def quantities(said: Any) -> dict[str, dict[str, str]]:
    """The IR's ResourceSpec as Kubernetes has it: `limits` and `requests`; of kfp 2.0 betas, cores and GB."""
    limits = {
        "cpu": said.resource_cpu_limit or _written(said.cpu_limit),
        "memory": said.resource_memory_limit or _written(said.memory_limit, "G"),
    }
    kind = said.accelerator.resource_type or said.accelerator.type
    if kind:
        limits[kind] = said.accelerator.resource_count or str(said.accelerator.count or "")
    requests = {
        "cpu": said.resource_cpu_request or _written(said.cpu_request),
        "memory": said.resource_memory_request or _written(said.memory_request, "G"),
    }
    found = {"limits": limits, "requests": requests}
    return {kind: {name: text for name, text in each.items() if text} for kind, each in found.items()}


def _written(number: float, unit: str = "") -> str:
    return f"{number:g}{unit}" if number else ""

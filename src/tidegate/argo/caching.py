"""Argo's memoisation by content: when two steps are the same work, as `graph.keys` has it.

The key is computed before a pod is made, from the texts of the inputs: parameters by value, artifacts by what they
hold. Argo keeps entries in its controller's namespace, for all others: the workflow's own is part of the key, so that
one cannot answer for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.argo import expressions
from tidegate.argo.options import Options
from tidegate.graph.keys import cache_parts, key_of
from tidegate.graph.model import Component, Dag
from tidegate.graph.work import Work

CACHE = "tidegate-cache"


def memoize(component: Component, image: str, custom: str, settings: Sequence[str], options: Options) -> dict[str, Any]:
    """The template's `memoize`. Entries are spread over 256 ConfigMaps, as each holds no more than 1 MiB.

    image: the one on the cluster, which stands for all that it brings along. custom: the task's own cache key.
    settings: inputs that only the platform spec reads.
    """
    assert not isinstance(component.body, Dag)
    work = Work(
        "",
        component.name,
        component.body,
        output_parameters=component.output_parameters,
        output_artifacts=component.output_artifacts,
    )
    parts = cache_parts(work, image)
    texts: list[str] = []
    if not custom:
        texts = [expressions.input_of(name) for name in (*component.parameters, *settings)]
        texts += [_identities(name) for name in component.artifacts]
    static = expressions.literal(key_of(parts, custom))
    joined = ' + "|" + '.join([static, "workflow.namespace", *texts])
    key = f"sprig.sha256sum({joined})"
    found: dict[str, Any] = {
        "key": expressions.tag(key),
        "cache": {"configMap": {"name": f"{CACHE}-{expressions.tag(f'{key}[0:2]')}"}},
    }
    return found | ({"maxAge": options.cache_max_age} if options.cache_max_age else {})


def _identities(name: str) -> str:
    text = expressions.input_of(name)
    return f'({text} startsWith "[" ? join(map({expressions.value(text)}, .identity), ",") : "")'

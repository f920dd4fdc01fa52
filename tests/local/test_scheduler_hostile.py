"""Pipelines bent at random: each is refused with reasons, or runs to an end."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from tests.local.playing import play
from tests.spec.documents import document, names
from tidegate import spec
from tidegate.graph import Container, PlaceholderError, Work, cache_key, command_line, executor_input
from tidegate.graph.build import build

STRANGE: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        3.5,
        1e400,
        10**30,
        "",
        "x",
        [],
        {},
        [1],
        {"a": 1},
        "\x00",
        "\ud800",
        "..",
        "../../etc",
        "a/b",
    ),
    *("{{$}}", "{{$.inputs.parameters['a']}}", "{{$.outputs.artifacts['x'].path}}", "{{$" + "." * 60),
    *("inputs.parameter_values['a'] == 1", "((((", "!" * 300, "comp-add", "add", "exec-add", "10s", "-5s", "64Gi"),
    *(
        "NUMBER_INTEGER",
        "LIST",
        "ALL_UPSTREAM_TASKS_COMPLETED",
        {"dag": {"tasks": {}}},
        {"componentRef": {"name": "comp-add"}},
    ),
    *(
        {"componentInputParameter": "x"},
        {"taskOutputParameter": {"producerTask": "add", "outputParameterKey": "Output"}},
    ),
]
KEYS = ["x", "..", "comp-add", "triggerPolicy", "inputs", "parameterIterator", "retryPolicy", "artifacts"]
VALUES = {
    "NUMBER_INTEGER": 2,
    "NUMBER_DOUBLE": 0.5,
    "STRING": "[1, 2]",
    "BOOLEAN": True,
    "LIST": [1, {"a": 2}],
    "STRUCT": {},
}


def bend(whole: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Up to four places changed, removed, exchanged for others or grown."""
    for _ in range(chance.randint(1, 4)):
        holders = list(_holders(whole))
        holder = chance.choice(holders)
        key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        match chance.randrange(4):
            case 0:
                del holder[key]
            case 1:
                holder[key] = chance.choice(STRANGE)
            case 2:
                other = chance.choice(holders)
                holder[key] = json.loads(json.dumps(other))
            case 3 if isinstance(holder, dict):
                holder[chance.choice(KEYS)] = holder.pop(key) if chance.random() < 0.5 else chance.choice(STRANGE)
        if not list(_holders(whole)):
            break
    return whole


def _holders(value: Any) -> Any:
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


def anything(work: Work, attempt: int) -> dict[str, Any] | Exception:
    if isinstance(work.executor, Container):
        try:
            command_line(work, executor_input(work, "/out"), {})
        except PlaceholderError as error:
            return error
    cache_key(work, "e")
    return {name: VALUES.get(kind) for name, kind in work.output_parameters.items()}


@pytest.mark.parametrize("seed", range(4))
def test_a_bent_pipeline_is_refused_with_reasons_or_runs_to_an_end(seed):
    chance = random.Random(seed)
    came_to: Counter[str] = Counter()
    for number in range(400):
        text = json.dumps(bend(document(chance.choice(names())), chance))
        try:
            loaded = spec.load(text, "bent.json")
            parameters = spec.check_parameters(loaded, {})
            played = play(build(loaded), anything, parameters, seed=number)
        except spec.SpecError as refused:
            assert refused.problems
            assert all(problem.message for problem in refused.problems)
            came_to["refused"] += 1
        else:
            came_to[str(played.ended.state)] += 1
    assert came_to["refused"] > 100 and came_to["succeeded"] > 30  # else the bending is too strong, or too weak

"""Pipelines bent at random: each is refused with reasons, or runs to an end."""

from __future__ import annotations

import copy
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.local.playing import play
from tests.spec.documents import document, names
from tidegate import spec
from tidegate.graph import Container, PlaceholderError, Work, cache_key, command_line, executor_input
from tidegate.graph.build import build
from tidegate.store.places import task_folder

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
NOISE = [
    "\t",
    "\x00",
    "&a ",
    "*a ",
    "<<: ",
    "!!python/name:os.system ",
    "[" * 99,
    "{" * 99,
    "'",
    '"',
    "- ",
    ": ",
    "---\n",
    "1e999",
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
                holder[key] = copy.deepcopy(chance.choice(STRANGE))
            case 2:
                other = chance.choice(holders)
                holder[key] = json.loads(json.dumps(other))
            case 3 if isinstance(holder, dict):
                holder[chance.choice(KEYS)] = (
                    holder.pop(key) if chance.random() < 0.5 else copy.deepcopy(chance.choice(STRANGE))
                )
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


def spoil(text: str, chance: random.Random) -> str:
    """The text itself damaged: pieces lost, doubled, exchanged for what parsers choke on."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        until = min(len(text), at + chance.randint(0, 40))
        piece = chance.choice(["", text[at:until] * 2, *NOISE])
        text = text[:at] + piece + text[until:]
    return text


def outside(works: dict[str, Work]) -> list[str]:
    """Folders of tasks, and of their outputs, that do not lie below the run's."""
    run = Path("/store/runs/one")
    found = []
    for work in works.values():
        folder = task_folder(run, work.path)
        given = executor_input(work, str(folder))
        outputs = [each["outputFile"] for each in given["outputs"]["parameters"].values()]
        outputs += [each["uri"] for made in given["outputs"]["artifacts"].values() for each in made["artifacts"]]
        found += [path for path in (str(folder), *outputs) if not os.path.normpath(path).startswith(f"{run}/tasks/")]
    return found


def come_to(text: str, seed: int) -> str:
    """How a run of it ends; `refused` where it does not begin."""
    try:
        loaded = spec.load(text, "bent.yaml")
        parameters = spec.check_parameters(loaded, {})
        played = play(build(loaded), anything, parameters, seed=seed)
    except spec.SpecError as refused:
        assert refused.problems
        assert all(problem.message for problem in refused.problems)
        return "refused"
    assert outside(played.works) == []
    return str(played.ended.state)


def test_a_bent_pipeline_is_refused_with_reasons_or_runs_to_an_end():
    """TIDEGATE_FUZZ=100000 tries that many; TIDEGATE_FUZZ_SEED gives others."""
    tries, first = int(os.environ.get("TIDEGATE_FUZZ", "400")), int(os.environ.get("TIDEGATE_FUZZ_SEED", "0"))
    known = names()
    came_to: Counter[str] = Counter()
    for seed in range(first, first + tries):
        chance = random.Random(seed)
        whole = document(chance.choice(known))
        if chance.random() < 0.75:
            text = json.dumps(bend(whole, chance))
        else:
            text = spoil(yaml.dump(whole, Dumper=yaml.CSafeDumper), chance)
        try:
            came_to[come_to(text, seed)] += 1
        except spec.SpecError:
            raise
        except BaseException as error:
            error.add_note(f"seed {seed}: {text[:2000]}")
            raise
    print(dict(came_to))  # noqa: T201 - figures, with pytest -s
    assert came_to["refused"] > tries / 4 and came_to["succeeded"] > tries / 20  # else it bends too much, or too little


BOMBS = {
    "aliases": "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\nroot: {}\n",
    "a merge of itself": "root: &r\n  <<: *r\n",
    "a tag": "root: !!python/object/apply:os.system ['true']\n",
    "deep lists": "root: " + "[" * 100_000,
    "deep JSON": '{"root": ' * 100_000,
    "deep strings of JSON": json.dumps({"root": {"dag": {}}, "deploymentSpec": "[" * 100_000}),
    "a huge number": "root: {dag: {tasks: {}}}\nschemaVersion: " + "9" * 100_000,
    "twice a key": "root: {dag: {tasks: {}}}\nroot: {dag: {tasks: {}}}\n",
    "no text": "\x00\x01\x02",
    "a list": "- root\n",
    "nothing": "",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_what_is_made_to_choke_a_reader_is_refused(bomb):
    assert come_to(bomb, 0) == "refused"

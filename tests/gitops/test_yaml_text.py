"""Changes to YAML in place: only the lines that say something else are other lines."""

from __future__ import annotations

import copy
import difflib
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tidegate.gitops.yaml_text import NotEditable, documents, edited

DEPLOYMENT = """\
# What serves flights.
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment   # of Seldon Core v1
metadata:
    name: flights
    annotations: {seldon.io/istio-retries: "2", "a": b}
spec:
    predictors:
    - name: default
      # the model that answers
      graph: {name: classifier, implementation: TRITON_SERVER, modelUri: 's3://models/flights/1'}
      componentSpecs:
      -   spec:
              containers:
              - name: classifier
                env:
                - name: MLSERVER_MODEL_URI
                  value: "s3://models/flights/1"  # set by hand
                - {name: OTHER, value: x}

      traffic: 100
---
kind: Other
text: |
    keep  this
    as it is
"""


def changed_lines(before: str, after: str) -> list[str]:
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def setting(*path: str | int, to: Any) -> Any:
    def change(document: Any) -> Any:
        if document.get("kind") != "SeldonDeployment":
            return document
        made = copy.deepcopy(document)
        node = made
        for key in path[:-1]:
            node = node[key]
        if to is None:
            del node[path[-1]]
        elif isinstance(node, list) and path[-1] == len(node):
            node.append(to)
        else:
            node[path[-1]] = to
        return made

    return change


CONTAINER = ("spec", "predictors", 0, "componentSpecs", 0, "spec", "containers", 0)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            setting(*CONTAINER, "env", 0, "value", to="s3://models/flights/2"),
            [
                '-                   value: "s3://models/flights/1"  # set by hand',
                '+                   value: "s3://models/flights/2"  # set by hand',
            ],
        ),
        (
            setting("spec", "predictors", 0, "graph", "modelUri", to="s3://models/flights/2"),
            [
                "-       graph: {name: classifier, implementation: TRITON_SERVER, modelUri: 's3://models/flights/1'}",
                "+       graph: {name: classifier, implementation: TRITON_SERVER, modelUri: s3://models/flights/2}",
            ],
        ),
        (
            setting(*CONTAINER, "env", 2, to={"name": "NEW", "value": "yes"}),
            ["+                 - name: NEW", "+                   value: 'yes'"],
        ),
        (
            setting("metadata", "annotations", "version", to="3"),
            [
                '-     annotations: {seldon.io/istio-retries: "2", "a": b}',
                "+     annotations: {seldon.io/istio-retries: '2', a: b, version: '3'}",
            ],
        ),
        (
            setting("spec", "predictors", 0, "labels", to={"a": {"b": "c"}}),
            ["+       labels:", "+         a:", "+           b: c"],
        ),
        (setting("spec", "predictors", 0, "traffic", to=None), ["-       traffic: 100"]),
        (
            setting(*CONTAINER, "env", to=None),
            [
                "-                 env:",
                "-                 - name: MLSERVER_MODEL_URI",
                '-                   value: "s3://models/flights/1"  # set by hand',
                "-                 - {name: OTHER, value: x}",
            ],
        ),
        (
            setting(*CONTAINER, "env", 0, "name", to=None),
            [
                "-                 - name: MLSERVER_MODEL_URI",
                '-                   value: "s3://models/flights/1"  # set by hand',
                '+                 - value: "s3://models/flights/1"  # set by hand',
            ],
        ),
    ],
)
def test_only_the_lines_that_say_something_else_change(change: Any, lines: list[str]) -> None:
    after = edited(DEPLOYMENT, change)
    assert changed_lines(DEPLOYMENT, after) == lines
    assert documents(after) == [change(document) for document in documents(DEPLOYMENT)]


def test_what_is_as_wanted_keeps_every_byte() -> None:
    odd = "a:   [1,2 ,  3]\n\n\n# end\nb:\n"
    assert edited(odd, lambda document: document) == odd


@pytest.mark.parametrize(
    ("text", "key", "to"),
    [
        ("a: 1\nb:\n", "b", "x"),
        ("a: 1\nb: |\n  t\nc: 2\n", "b", "x"),
        ("a: 1", "b", {"c": [1, {}]}),
        ("b:\n# c\n", "b", [1]),
    ],
)
def test_empty_and_many_lined_values_are_replaced(text: str, key: str, to: Any) -> None:
    assert documents(edited(text, lambda document: {**document, key: to})) == [{**documents(text)[0], key: to}]


def test_json_stays_json() -> None:
    text = '{"kind": "ModelRollout",\n "spec": {"model": {"uri": "a"}}}\n'
    after = edited(text, lambda document: {**document, "spec": {"model": {"uri": "on", "digest": "b"}}})
    assert after == '{"kind": "ModelRollout",\n "spec": {"model": {"uri": "on", "digest": "b"}}}\n'


@pytest.mark.parametrize("text", ["a: &x 1\nb: *x\n", "d: &d {a: 1}\ne:\n  <<: *d\n  b: 1\na: {<<: *d}\n"])
def test_an_alias_is_never_changed_at_its_other_end(text: str) -> None:
    before = documents(text)[0]
    with pytest.raises(NotEditable, match="alias"):
        edited(text, lambda document: {**document, "a": {"a": 2} if isinstance(before["a"], dict) else 2})


def test_what_is_no_yaml_is_told_with_its_line() -> None:
    with pytest.raises(NotEditable, match="line 2"):
        edited("a: 1\n\tb: [\n", lambda document: document)


KEYS = st.sampled_from(["a", "b", "c", "on", "x y", "1"])
SCALARS = st.one_of(
    st.sampled_from(["yes", "1:30", "0o17", "~", "", " x", "a: b", "#c", "2013-01-01", "é", "a\nb", "'", '"', "{"]),
    st.integers(-5, 5), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
ROOTS = st.dictionaries(KEYS, TREES, min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(ROOTS, min_size=1, max_size=2), st.data(), st.sampled_from([False, None, True]), st.sampled_from([1, 4])
)
def test_any_document_becomes_any_other_and_the_rest_stays(
    roots: list[Any], data: Any, flow: bool, indent: int
) -> None:
    text = "# first\n" + yaml.safe_dump_all(roots, default_flow_style=flow, indent=indent, sort_keys=False)
    assume(documents(text) == roots)  # PyYAML writes '0o17' so that readers of YAML 1.2 take it for a number
    wanted = [data.draw(ROOTS), *roots[1:]]
    after = edited(text, lambda document: wanted[0] if document is not roots[-1] and document == roots[0] else document)
    if len(roots) == 2 and roots[0] != roots[1]:
        assert documents(after) == wanted
        assert after.split("\n---", 1)[1] == text.split("\n---", 1)[1]
    assert after.startswith("# first\n")

"""Values between steps: what is written is what is read, and Argo has nothing to replace in it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.argo import wire
from tidegate.graph.work import Artifact

_TEXTS = st.text(st.characters(exclude_categories=("Cs",))) | st.text('{}$"\\\n=', max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(_VALUES)
def test_every_value_comes_back(value: object) -> None:
    text = wire.dump(value)

    assert "{{" not in text and "$" not in text and "\n" not in text and text.isascii()
    assert wire.load(text) == (wire.Missing() if value is None else value)


def test_numbers_that_json_has_not_come_back() -> None:
    found = wire.load(wire.dump({"loss": math.inf, "auc": math.nan}))

    assert found["loss"] == math.inf and math.isnan(found["auc"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", wire.Missing()),
        ("null", wire.Missing()),
        ("!train failed", wire.Missing("train failed")),
        ('~fill ["a{\\u007b$.x}}", {"x": 1}]', wire.Filled("a{{$.x}}", {"x": 1})),
        ('~pick [["a", 0], {"a": [5]}]', wire.Picked(("a", 0), {"a": [5]})),
        ("~status train Error run-1", wire.Status("train", "Error")),
        ('"!no"', "!no"),
        ('"~fill [1, 2]"', "~fill [1, 2]"),
    ],
)
def test_texts_that_are_more_than_json(text: str, value: object) -> None:
    assert wire.load(text) == value


@pytest.mark.parametrize(
    ("value", "type_name", "text"),
    [
        ("plain words", "STRING", "plain words"),
        ("json: is how this begins", "STRING", 'json:"json: is how this begins"'),
        ("{{workflow.name}}", "STRING", 'json:"{\\u007bworkflow.name}}"'),
        ("two\nlines", "STRING", 'json:"two\\nlines"'),
        (None, "STRING", "json:null"),
        (3, "NUMBER_INTEGER", "3"),
        (["a"], "LIST", '["a"]'),
    ],
)
def test_arguments_are_what_a_person_would_type(value: object, type_name: str, text: str) -> None:
    assert wire.argument(value, type_name) == text


def test_an_artifact_comes_back_with_what_object_stores_cannot_hold() -> None:
    artifact = Artifact("model", "", "system.Model", metadata={"auc": 0.7}, digest="sha256:1")
    found = wire.Described(artifact, "run/pod/model", ("assets",), {"latest": "v2"})

    assert wire.artifacts(wire.dump([wire.describe(found)])) == (found,)


def test_identity_is_content_not_place() -> None:
    def described(key: str, digest: str) -> str:
        return str(
            json.loads(json.dumps(wire.describe(wire.Described(Artifact("m", "", digest=digest), key))))["identity"]
        )

    assert described("here", "sha256:1") == described("there", "sha256:1") != described("here", "sha256:2")

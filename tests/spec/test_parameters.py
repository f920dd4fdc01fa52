"""What users give a pipeline, typed and completed, or refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.spec.documents import document
from tidegate import spec
from tidegate.spec.values import ValueMismatchError, fit, text_of

KINDS = {
    "n": "NUMBER_INTEGER",
    "rate": "NUMBER_DOUBLE",
    "text": "STRING",
    "yes": "BOOLEAN",
    "items": "LIST",
    "options": "STRUCT",
}


def pipeline(**declared: dict[str, Any]) -> spec.Pipeline:
    whole = document()
    whole["root"]["inputDefinitions"] = {"parameters": declared}
    return spec.load(yaml.safe_dump(whole))


ALL = pipeline(**{name: {"parameterType": kind, "isOptional": True} for name, kind in KINDS.items()})


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("n", "3", 3),
        ("n", "-3", -3),
        ("n", 3.0, 3),
        ("n", "1e3", 1000),
        ("n", 2**60, 2**60),
        ("rate", "3", 3.0),
        ("rate", 3, 3.0),
        ("rate", "1e-3", 0.001),
        ("text", "3", "3"),
        ("text", "", ""),
        ("yes", "True", True),
        ("yes", False, False),
        ("items", '["a", 1.0]', ["a", 1]),
        ("items", [1.5, 2.0], [1.5, 2]),
        ("options", '{"a": {"b": 2.0}}', {"a": {"b": 2}}),
    ],
)
def test_values_take_the_declared_type(name, given, value):
    found = spec.check_parameters(ALL, {name: given})[name]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("n", "three", 'expected a whole number, found "three"'),
        ("n", "3.5", 'expected a whole number, found "3.5"'),
        ("n", True, "expected a whole number, found true"),
        ("n", [], "expected a whole number, found []"),
        ("n", "inf", 'expected a whole number, found "inf"'),
        ("rate", "nan", 'expected a number, found "nan"'),
        ("rate", {}, "expected a number, found {}"),
        ("text", 3, "expected text, found 3"),
        ("yes", "yes", 'expected true or false, found "yes"'),
        ("items", "a", 'expected a JSON list, found "a"'),
        ("items", "{}", 'expected a JSON list, found "{}"'),
        ("items", "[" * 5000, "expected a JSON list"),
        ("options", [1], "expected a JSON object, found [1]"),
        ("itms", [1], "has no such parameter; did you mean 'items'?"),
        ("zzz", 1, "has no such parameter; it has: items, n, options, rate, text, yes"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name, given, words):
    with pytest.raises(spec.SpecError) as refused:
        spec.check_parameters(ALL, {name: given})
    assert [problem.where for problem in refused.value.problems] == [name]
    assert words in str(refused.value)


def test_what_is_missing_says_how_to_give_it():
    with pytest.raises(spec.SpecError, match=r"n: missing: give a whole number with `-p n=\.\.\.`"):
        spec.check_parameters(pipeline(n={"parameterType": "NUMBER_INTEGER"}), {})


def test_defaults_are_filled_in_and_optional_ones_left_out():
    declared = {
        "n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3.0, "isOptional": True},
        "text": {"parameterType": "STRING", "isOptional": True},
        "items": {"parameterType": "LIST", "defaultValue": [1.0, {"a": 2.0}]},
    }
    assert spec.check_parameters(pipeline(**declared), {"text": None}) == {"n": 3, "items": [1, {"a": 2}]}


def test_a_literal_takes_only_its_values():
    declared = {"text": {"parameterType": "STRING", "literals": ["a", "b"]}}
    assert spec.check_parameters(pipeline(**declared), {"text": "a"}) == {"text": "a"}
    with pytest.raises(spec.SpecError, match='expected one of "a", "b", found "c"'):
        spec.check_parameters(pipeline(**declared), {"text": "c"})


def test_all_faults_are_told_at_once():
    with pytest.raises(spec.SpecError) as refused:
        spec.check_parameters(ALL, {"n": "x", "yes": "x", "other": 1})
    assert len(refused.value.problems) == 3


@pytest.mark.parametrize(
    ("value", "kind", "fitted"),
    [
        (3, "STRING", "3"),
        (2.0, "STRING", "2"),
        (True, "STRING", "true"),
        ([1, "a"], "STRING", '[1,"a"]'),
        ("3", "NUMBER_INTEGER", 3),
        ("[1]", "LIST", [1]),
        (3.0, "NUMBER_INTEGER", 3),
        (3, "NUMBER_DOUBLE", 3.0),
        ({"a": 1.0}, "STRUCT", {"a": 1}),
        ({"state": "FAILED"}, "TASK_FINAL_STATUS", {"state": "FAILED"}),
    ],
)
def test_a_value_between_tasks_becomes_an_input_of_its_type(value, kind, fitted):
    found = fit(value, kind)
    assert found == fitted and type(found) is type(fitted)


@pytest.mark.parametrize(
    ("value", "kind"), [("x", "NUMBER_INTEGER"), (True, "NUMBER_DOUBLE"), (1, "LIST"), ([], "STRUCT")]
)
def test_a_value_between_tasks_that_cannot_be_is_refused(value, kind):
    with pytest.raises(ValueMismatchError, match=f"expected {kind}, found"):
        fit(value, kind)


@pytest.mark.parametrize(
    ("value", "text"), [(1e-7, "0.0000001"), (1e22, "1" + "0" * 22), (0.1, "0.1"), (-2.0, "-2"), (None, "null")]
)
def test_numbers_as_text_are_those_of_kfps_backend(value, text):
    assert text_of(value) == text
    assert json.loads(text) == value

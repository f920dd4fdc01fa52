"""The conditions that kfp's compiler writes, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.graph.expressions import ExpressionError, parse

VALUES = {"n": 3, "real": 0.5, "text": "heads", "yes": True, "no": False, "digits": "3"}
_N, _REAL, _TEXT, _YES = (f"inputs.parameter_values['{name}']" for name in ("n", "real", "text", "yes"))


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        (f"int({_N}) == 3", True),
        (f"int({_N}) != 3", False),
        (f"int({_N}) > 2 && int({_N}) < 4", True),
        (f"int({_N}) >= 4 || int({_N}) <= 3", True),
        (f"!(int({_N}) == 3)", False),
        (f"!(int({_N}) == 1) && !(int({_N}) == 2)", True),
        (f"!!{_YES}", True),
        (f"double(int({_N})) > {_REAL}", True),
        (f"{_REAL} >= 0.5", True),
        (f"{_REAL} < 5e-1", False),
        (f"{_REAL} > -1", True),
        (f"{_TEXT} == 'heads'", True),
        (f'{_TEXT} == "heads"', True),
        (f"'heads' != {_TEXT}", False),
        (f"{_TEXT} < 'tails'", True),
        (f"{_YES} == true", True),
        (f"{_YES} != false", True),
        (_YES, True),
        ("true", True),
        ("false || (true && !false)", True),
        ("inputs.parameter_values['digits'] == '3'", True),
        ("int(inputs.parameter_values['digits']) == 3", True),
        ("string(int(inputs.parameter_values['n'])) == '3'", True),
        ("bool('true')", True),
    ],
)
def test_what_kfp_writes_is_understood(text, truth):
    assert parse(text).evaluate(VALUES) is truth


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a\tb", "a\tb"),
        (r"it\'s", "it's"),
        (r"\x41\u00e9\U0001f600\101", "Aé😀A"),
        (r"C:\data", r"C:\data"),
        (r"\\", "\\"),
        (r"back\b", "back\b"),
    ],
)
def test_strings_have_cels_escapes(written, meant):
    assert parse(f"{_TEXT} == '{written}'").evaluate({"text": meant})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "ends too early"),
        ("1 ==", "ends too early"),
        ("(true", "a ')' is missing"),
        ("true true", "not understood at 'true'"),
        ("__import__('os')", "not understood at '__import__'"),
        ("inputs.parameters['x'] == 1", 'not understood at ".parameters'),
        ("1 + 1 == 2", "not understood at '+"),
        ("(" * 500, "nested too deeply"),
        (f"{_TEXT} == 'it's'", "not understood"),
        (f"{_TEXT} != 'int({_N})'", "comparison of text with a number"),
        (f"'{_YES}' == 'true'", "comparison of text with a number"),
    ],
)
def test_anything_else_is_refused_with_its_place(text, words):
    with pytest.raises(ExpressionError) as refused:
        parse(text)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("inputs.parameter_values['gone'] == 1", "reads 'gone', which has no value"),
        (_N, "expected true or false, found 3"),
        (f"{_TEXT} < 3", "different types"),
        (f"int({_TEXT}) == 3", 'int() of "heads"'),
        ("int('inf') == 1", 'int() of "inf"'),
    ],
)
def test_values_that_do_not_fit_are_told(text, words):
    with pytest.raises(ExpressionError) as refused:
        parse(text).evaluate(VALUES)
    assert words in str(refused.value)


def test_the_inputs_that_a_condition_reads_are_known():
    assert parse(f"int({_N}) == 3 && {_YES} == true").inputs == {"n", "yes"}


@given(st.text(alphabet="()!&|=<>'\"\\ .0aintrue[]inputs_", max_size=60))
def test_whatever_is_written_is_read_or_refused(text):
    try:
        parse(text).evaluate(VALUES)
    except ExpressionError as error:
        assert str(error)

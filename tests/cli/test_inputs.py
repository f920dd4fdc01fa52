"""Parameters as typed on a command line or written in a file."""

from pathlib import Path

import pytest

from tidegate.cli.failures import CommandError
from tidegate.cli.inputs import given

TYPES = {
    "rows": "NUMBER_INTEGER",
    "rate": "NUMBER_DOUBLE",
    "dry": "BOOLEAN",
    "name": "STRING",
    "sizes": "LIST",
    "splits": "STRUCT",
}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("rows=3", 3),
        ("rows=-3", -3),
        ("rate=1e-3", 0.001),
        ("rate=3", 3.0),
        ("dry=true", True),
        ("dry=No", False),
        ("name=3", "3"),
        ("name=", ""),
        ("name=a=b", "a=b"),
        ("name= a ", " a "),
        ("sizes=[1, 2]", [1, 2]),
        ('splits={"train": 2}', {"train": 2}),
        ("splits={train: 2}", {"train": 2}),
    ],
)
def test_the_declared_type_says_what_the_text_means(pair: str, value: object) -> None:
    found = given([pair], None, TYPES)[pair.partition("=")[0]]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("rows=3.5", "a whole number"),
        ("rows=", "a whole number"),
        ("rate=fast", "a number"),
        ("dry=perhaps", "true or false"),
        ("sizes={}", "a list"),
        ("splits=[1", "a mapping"),
    ],
)
def test_a_text_of_another_type_is_refused_with_what_was_expected(pair: str, expected: str) -> None:
    with pytest.raises(CommandError) as caught:
        given([pair], None, TYPES)
    assert repr(pair.partition("=")[2]) in caught.value.what
    assert expected in caught.value.facts["expected"]


def test_an_unknown_name_is_refused_with_the_near_one() -> None:
    with pytest.raises(CommandError) as caught:
        given(["row=3"], None, TYPES)
    assert caught.value.facts["fix"] == "did you mean 'rows'?"


@pytest.mark.parametrize("pair", ["rows", "=3", ""])
def test_what_has_no_name_and_value_is_refused(pair: str) -> None:
    with pytest.raises(CommandError, match="is no parameter"):
        given([pair], None, TYPES)


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("rows: 1\nname: flights\n")
    assert given(["rows=2"], file, TYPES) == {"rows": 2, "name": "flights"}


def test_a_json_file_will_do(tmp_path: Path) -> None:
    file = tmp_path / "params.json"
    file.write_text('{"splits": {"train": 2}}')
    assert given([], file, TYPES) == {"splits": {"train": 2}}


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [1\nb: 2\n", "line 2"), ("- 1\n", "a list"), ("row: 1\n", "rows")],
)
def test_a_bad_file_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(CommandError) as caught:
        given([], file, TYPES)
    told = caught.value.what + " ".join(caught.value.facts.values())
    assert said in told
    assert str(file) in told


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot read .*none\.yaml: No such file"):
        given([], tmp_path / "none.yaml", TYPES)

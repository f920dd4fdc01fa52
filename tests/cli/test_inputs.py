"""Parameters as typed on a command line or written in a file."""

from pathlib import Path

import pytest

from tidegate.cli.failures import CommandError
from tidegate.cli.inputs import given


def test_a_value_is_all_that_follows_the_first_equals_sign() -> None:
    assert given(["a=b=c", "empty=", " spaced = x "], None) == {"a": "b=c", "empty": "", "spaced": " x "}


@pytest.mark.parametrize("pair", ["rows", "=3", ""])
def test_what_has_no_name_and_value_is_refused(pair: str) -> None:
    with pytest.raises(CommandError, match="is no parameter"):
        given([pair], None)


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("rows: 1\nname: flights\n")
    assert given(["rows=2"], file) == {"rows": "2", "name": "flights"}


def test_a_json_file_will_do(tmp_path: Path) -> None:
    file = tmp_path / "params.json"
    file.write_text('{"splits": {"train": 2}}')
    assert given([], file) == {"splits": {"train": 2}}


@pytest.mark.parametrize(("text", "said"), [("a: [1\nb: 2\n", "line 2"), ("- 1\n", "a list")])
def test_a_bad_file_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(CommandError) as caught:
        given([], file)
    told = caught.value.what + " ".join(caught.value.facts.values())
    assert said in told
    assert str(file) in told


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot read .*none\.yaml: No such file"):
        given([], tmp_path / "none.yaml")

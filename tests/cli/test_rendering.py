"""Tables, words and errors: what people see, on terminals of any width."""

import io

import pytest

from tidegate.cli import dates, words
from tidegate.cli.failures import CommandError, block
from tidegate.cli.tables import Cell, Column, facts, table
from tidegate.cli.terminal import Terminal, cells, fit, printable

COLUMNS = (
    Column("NAME", flexible=True),
    Column("TIME", right=True),
    Column("NOTE", optional=True),
    Column("ID", wide=True),
)


def screen(width: int = 0, colour: bool = False) -> Terminal:
    return Terminal(io.StringIO(), interactive=False, colour=colour, width=width)


def test_columns_line_up_whatever_the_cells_hold() -> None:
    lines = table(COLUMNS, [("trainer", "12s", "", "1"), ("数据", "1m 02s", "", "2")], screen())
    assert {cells(line) for line in lines} == {cells("trainer  1m 02s")}
    assert lines[1].endswith("   12s")


def test_an_optional_column_is_shown_only_where_it_says_something() -> None:
    assert "NOTE" not in table(COLUMNS, [("a", "1s", "", "")], screen())[0]
    assert "NOTE" in table(COLUMNS, [("a", "1s", "late", "")], screen())[0]


def test_wide_shows_all_columns_and_cuts_nothing() -> None:
    lines = table(COLUMNS, [("a" * 50, "1s", "", "77")], screen(20), wide=True)
    assert "a" * 50 in lines[1]
    assert lines[1].endswith("77")


@pytest.mark.parametrize("width", [16, 20, 28])
def test_lines_fit_a_narrow_terminal(width: int) -> None:
    lines = table(COLUMNS, [("a-very-long-name-of-a-task", "12s", "", "")], screen(width))
    assert max(cells(line) for line in lines) <= width
    assert "…" in lines[1]


def test_nothing_is_cut_where_no_terminal_is() -> None:
    assert "…" not in table(COLUMNS, [("a" * 500, "12s", "", "")], screen())[1]


def test_colours_appear_only_where_they_are_wanted() -> None:
    rows = [(Cell("a", "red"), "1s", "", "")]
    assert "\033[31m" in table(COLUMNS, rows, screen(colour=True))[1]
    assert "\033" not in "".join(table(COLUMNS, rows, screen()))


def test_names_from_pipelines_cannot_steer_the_terminal() -> None:
    assert "\033" not in "".join(table(COLUMNS, [("\033[2J\r", "1s", "", "")], screen()))
    assert printable("a\033b\nc\td") == "a�b\nc    d"


def test_facts_leave_out_what_is_not_known_and_indent_further_lines() -> None:
    assert facts([("run", "a"), ("code", ""), ("parameters", "x = 1\ny = 2")], screen()) == [
        "run         a",
        "parameters  x = 1",
        "            y = 2",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0, "0.0s"), (9.94, "9.9s"), (59.4, "59s"), (59.6, "1m 00s"), (3600, "1h 00m"), (200_000, "2d 07h")],
)
def test_seconds(value: float | None, text: str) -> None:
    assert words.seconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 40, "3.0 TiB")])
def test_sizes(value: int, text: str) -> None:
    assert words.size(value) == text


def test_a_long_value_is_one_line_that_says_how_much_is_missing() -> None:
    assert words.shown("def f():\n  pass") == "def f(): … (2 lines)"
    assert len(words.shown({"a": list(range(1000))})) == 60


def test_fit_counts_columns_not_characters() -> None:
    assert fit("数据数据", 5) == "数据…"


@pytest.mark.parametrize(
    ("text", "seconds"), [("now", 0), ("90s", 90), ("2m", 120), ("3h", 10_800), ("7d", 604_800), ("1w", 604_800)]
)
def test_a_length_of_time_counts_back_from_now(text: str, seconds: int) -> None:
    assert dates.moment(text, 1_000_000.0, "--before") == 1_000_000 - seconds


def test_a_date_without_a_zone_is_local() -> None:
    assert words.when(dates.moment("2026-11-20T08:30", 0, "--before")) == "2026-11-20 08:30:00"


def test_what_is_no_time_says_what_times_look_like() -> None:
    with pytest.raises(CommandError) as caught:
        dates.moment("yesterday-ish", 0, "--before")
    assert "--before 'yesterday-ish'" in caught.value.what
    assert "2026-11-20" in caught.value.facts["expected"]


def test_an_error_is_one_block() -> None:
    assert block("no such file\nsee below", {"where": "a.py", "expected": "", "fix": "make it"}) == [
        "error: no such file",
        "  see below",
        "  where:    a.py",
        "  fix:      make it",
    ]

"""Spans and versions: which files are the newest data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.components.errors import ComponentError
from tidegate.components.resolver.span import Pattern, find_spans, fingerprint, latest, resolve


def _tree(base: Path, *names: str) -> Path:
    for name in names:
        file = base / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return base


def _found(base: Path, pattern: str, **asked: int) -> list[tuple[int, int, list[str]]]:
    spans = resolve(find_spans(base, pattern), **asked)
    return [(s.number, s.version, [f.relative_to(base).as_posix() for f in s.files]) for s in spans]


@pytest.mark.parametrize(
    ("pattern", "name", "meaning"),
    [
        ("span-{SPAN}/*", "span-3/a.csv", (3, -1)),
        ("span-{SPAN}/*", "span-03/a.csv", (3, -1)),
        ("span-{SPAN:2}/*", "span-3/a.csv", None),
        ("span-{SPAN:2}/*", "span-12/a.csv", (12, -1)),
        ("span-{SPAN}/*", "span-x/a.csv", None),
        ("span-{SPAN}/*", "span-3/deep/a.csv", None),
        ("span-{SPAN}/**/*.csv", "span-3/very/deep/a.csv", (3, -1)),
        ("s{SPAN}/v{VERSION}/*", "s1/v20/a", (1, 20)),
        ("{YYYY}-{MM}-{DD}.csv", "1970-01-02.csv", (1, -1)),
        ("{YYYY}{MM}{DD}/v{VERSION}.csv", "20130101/v2.csv", (15706, 2)),
        ("{YYYY}-{MM}-{DD}.csv", "2013-02-31.csv", None),
        ("{SPAN}/{SPAN}.csv", "4/4.csv", (4, -1)),
        ("{SPAN}/{SPAN}.csv", "4/5.csv", None),
        ("a.b*", "aXb1", None),
    ],
)
def test_a_pattern_reads_span_and_version_out_of_names(
    pattern: str, name: str, meaning: tuple[int, int] | None
) -> None:
    assert Pattern.parse(pattern).match(name) == meaning


@pytest.mark.parametrize("pattern", ["{SPAN}{YYYY}{MM}{DD}", "{YYYY}{MM}", "{VERSION}", "{DAY}", "{MM:3}{YYYY}{DD}"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ComponentError, match="pattern"):
        Pattern.parse(pattern)


def test_the_newest_version_of_the_newest_span_is_read(tmp_path: Path) -> None:
    base = _tree(tmp_path, "s9/v1/a.csv", "s10/v2/a.csv", "s10/v11/b.csv", "s10/v11/a.csv", "s10/v3/.hidden")
    assert _found(base, "s{SPAN}/v{VERSION}/*") == [(10, 11, ["s10/v11/a.csv", "s10/v11/b.csv"])]
    assert _found(base, "s{SPAN}/v{VERSION}/*", version=2) == [(10, 2, ["s10/v2/a.csv"])]
    assert _found(base, "s{SPAN}/v{VERSION}/*", span=9) == [(9, 1, ["s9/v1/a.csv"])]


def test_a_window_reads_the_spans_before_and_skips_those_that_are_not_there(tmp_path: Path) -> None:
    base = _tree(tmp_path, "1.csv", "2.csv", "4.csv", "5.csv")
    assert [n for n, _, _ in _found(base, "{SPAN}.csv", span=4, window=3)] == [2, 4]
    assert [n for n, _, _ in _found(base, "{SPAN}.csv", window=2)] == [4, 5]


def test_without_spans_all_files_are_one(tmp_path: Path) -> None:
    base = _tree(tmp_path, "a.csv", "b.csv", "c.txt", "_SUCCESS.csv")
    assert _found(base, "*.csv") == [(-1, -1, ["a.csv", "b.csv"])]
    assert resolve(find_spans(base / "c.txt", "*"))[0].files == (base / "c.txt",)


def test_what_is_there_is_told_where_nothing_is_found(tmp_path: Path) -> None:
    base = _tree(tmp_path / "data", "s1/v1/a.csv", "s3/v1/a.csv", "notes.txt")
    spans = find_spans(base, "s{SPAN}/v{VERSION}/*")
    with pytest.raises(ComponentError, match=r"no file in .* matches '\*.parquet'; there is: notes.txt, s1/, s3/"):
        find_spans(base, "*.parquet")
    with pytest.raises(ComponentError, match="there is no span 2; there are: 1, 3"):
        resolve(spans, span=2)
    with pytest.raises(ComponentError, match="span 3 has no version 7; it has: 1"):
        resolve(spans, version=7)
    with pytest.raises(ComponentError, match="window is 0"):
        resolve(spans, window=0)
    with pytest.raises(ComponentError, match=r"nowhere.* does not exist"):
        find_spans(tmp_path / "nowhere", "*")


def test_the_fingerprint_follows_names_and_content_and_nothing_else(tmp_path: Path) -> None:
    first, second = _tree(tmp_path / "one", "1.csv", "2.csv"), _tree(tmp_path / "two", "1.csv", "2.csv")
    pattern = "{SPAN}.csv"
    before = latest(str(first), pattern)
    assert before == latest(str(second), pattern) and (before["span"], before["version"]) == (2, -1)
    (second / "1.csv").write_text("changed")
    assert latest(str(second), pattern)["fingerprint"] != before["fingerprint"]
    assert latest(str(second), pattern, window=1) == latest(str(first), pattern, window=1)
    (second / "1.csv").rename(second / "0.csv")
    assert fingerprint(find_spans(second, pattern), second) != before["fingerprint"]

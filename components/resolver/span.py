"""Spans and versions: which files of an input are the newest data. What a pattern means is decided here, once.

A pattern is relative to the input's folder and may use `*`, `?`, `**` and
  {SPAN} {SPAN:2}   the span's number (with so many digits)
  {VERSION} ...     a version of that span; the newest counts
  {YYYY} {MM} {DD}  a date as the span: its number is the days since 1970-01-01, as in TFX
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.components.errors import ComponentError
from tidegate.components.paths import given_path

_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)(?::(\d+))?\}")
_DIGITS = {"YYYY": 4, "MM": 2, "DD": 2}
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Span:
    """One span's files; `number` and `version` are -1 where the pattern has none."""

    number: int
    version: int
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, understood: what to list on disk, and what the names say."""

    text: str
    glob: str
    regex: re.Pattern[str]
    names: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Raises: ComponentError for an unknown placeholder, or a date with parts missing."""
        glob, regex, at = "", "", 0
        seen: set[str] = set()
        for found in _PLACEHOLDER.finditer(text):
            name, digits = found[1], found[2]
            if name not in {"SPAN", "VERSION", *_DIGITS} or (digits and name in _DIGITS):
                raise ComponentError(
                    f"pattern {text!r}: unknown placeholder {found[0]}; expected {{SPAN}}, {{SPAN:2}}, {{VERSION}}, "
                    "{YYYY}, {MM} or {DD}"
                )
            between = text[at : found.start()]
            count = _DIGITS.get(name) or int(digits or 0)
            glob += between + ("[0-9]" * count or "*")
            numeral = rf"\d{{{count}}}" if count else r"\d+"
            regex += _regex(between) + (f"(?P={name})" if name in seen else f"(?P<{name}>{numeral})")
            seen.add(name)
            at = found.end()
        dated = seen & set(_DIGITS)
        if dated and (dated != set(_DIGITS) or "SPAN" in seen):
            raise ComponentError(f"pattern {text!r}: a span is either {{SPAN}} or all of {{YYYY}}, {{MM}}, {{DD}}")
        if "VERSION" in seen and not (dated or "SPAN" in seen):
            raise ComponentError(f"pattern {text!r}: {{VERSION}} needs {{SPAN}} or a date beside it")
        return cls(text, glob + text[at:], re.compile(regex + _regex(text[at:])), frozenset(seen))

    def match(self, name: str) -> tuple[int, int] | None:
        """(span, version) of a file's relative name; None where it does not match."""
        found = self.regex.fullmatch(name)
        if not found:
            return None
        parts = {key: int(value) for key, value in found.groupdict().items()}
        span = parts.get("SPAN", -1)
        if "YYYY" in parts:
            try:
                span = (datetime.date(parts["YYYY"], parts["MM"], parts["DD"]) - datetime.date(1970, 1, 1)).days
            except ValueError:  # the 31st of February is no span
                return None
        return span, parts.get("VERSION", -1)


def _regex(glob: str) -> str:
    """A shell pattern as a regular expression; `**/` stands for any folders, `*` stays within one."""
    parts = re.split(r"(\*\*/|\*|\?)", glob)
    meaning = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(part, re.escape(part)) for part in parts)


def find_spans(input_base: str | Path, pattern: str) -> list[Span]:
    """Every span and version there is, in order; one with number -1 where the pattern has no span.

    `input_base` may also be a single file, which is then all there is.
    Raises: ComponentError where the folder is missing or nothing matches; it lists what is there.
    """
    base = given_path(input_base)
    if not str(input_base) or not base.exists():
        raise ComponentError(f"input {str(input_base)!r} does not exist (looked for {base})")
    if base.is_file():
        return [Span(-1, -1, (base,))]
    parsed = Pattern.parse(pattern)
    groups: dict[tuple[int, int], list[Path]] = {}
    for file in sorted(base.glob(parsed.glob)):
        hidden = any(part.startswith((".", "_")) for part in file.relative_to(base).parts)
        where = parsed.match(file.relative_to(base).as_posix())
        if where is not None and not hidden and file.is_file():
            groups.setdefault(where, []).append(file)
    if not groups:
        raise ComponentError(f"no file in {base} matches {pattern!r}; there is: {_listing(base)}")
    return [Span(*where, tuple(files)) for where, files in sorted(groups.items())]


def _listing(base: Path) -> str:
    there = sorted(f.name + ("/" if f.is_dir() else "") for f in base.iterdir())
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    return ", ".join(there[:_SHOWN]) + more if there else "nothing"


def resolve(
    spans: Sequence[Span], span: int = -1, version: int = -1, window: int = 1, between: tuple[int, int] | None = None
) -> list[Span]:
    """The spans to read, oldest first: `span` (-1: the newest) and those before it, `window` numbers in all.

    Of each span its newest version, or `version` (which then applies to `span` only). `between`: only spans from the
    first number up to, not including, the second.
    Raises: ComponentError that lists the spans or versions there are.
    """
    if window < 1:
        raise ComponentError(f"window is {window}; expected at least 1 span")
    newest: dict[int, Span] = {}
    kept = [one for one in spans if between is None or between[0] <= one.number < between[1]]
    for one in kept:
        newest[one.number] = one  # sorted: the last version wins
    if not newest:
        raise ComponentError(f"no span in the range {between}; there are: {_numbers(s.number for s in spans)}")
    last = max(newest) if span < 0 else span
    if last not in newest:
        raise ComponentError(f"there is no span {span}; there are: {_numbers(newest)}")
    if version >= 0:
        exact = [one for one in kept if (one.number, one.version) == (last, version)]
        if not exact:
            versions = _numbers(one.version for one in kept if one.number == last)
            raise ComponentError(f"span {last} has no version {version}; it has: {versions}")
        newest[last] = exact[0]
    return [newest[number] for number in sorted(newest) if last - window < number <= last]


def _numbers(numbers: Iterable[int]) -> str:
    there = sorted(set(numbers))
    return ", ".join(map(str, there[-_SHOWN:])) + (
        f" (and {len(there) - _SHOWN} before)" if len(there) > _SHOWN else ""
    )


def fingerprint(spans: Sequence[Span], base: str | Path) -> str:
    """Stands for the names and the content of these files: equal data, equal fingerprint, wherever it lies."""
    root = Path(base) if Path(base).is_dir() else Path(base).parent
    total = hashlib.sha256()
    for one in spans:
        for file in one.files:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            total.update(f"{one.number} {one.version} {file.relative_to(root).as_posix()} {digest}\n".encode())
    return f"sha256:{total.hexdigest()}"


def latest(input_base: str, pattern: str, window: int = 0) -> Mapping[str, int | str]:
    """The newest span, its newest version, and the fingerprint of the window of spans up to it (0: all of them)."""
    spans = find_spans(input_base, pattern)
    read = resolve(spans, window=window or max(s.number for s in spans) - min(s.number for s in spans) + 1)
    newest = read[-1]
    print(f"span {newest.number}, version {newest.version}: {', '.join(f.name for f in newest.files[:_SHOWN])}")
    return {"span": newest.number, "version": newest.version, "fingerprint": fingerprint(read, input_base)}

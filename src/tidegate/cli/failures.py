"""What goes wrong, told in one block: what, where, expected, found, what to do; and the exit codes."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes, as `tidegate --help` lists them."""

    OK = 0
    FAILED = 1
    """The run failed, or a check said no (verify, lint, doctor)."""
    USAGE = 2
    """Bad input: an option, a pipeline, a parameter, a name that is not there."""
    ENVIRONMENT = 3
    """The store, the disk or an environment is not as it must be."""
    DEFECT = 70
    """A defect of tidegate itself."""
    INTERRUPTED = 130
    """Ctrl-C (or `tidegate cancel`): the run was cancelled, `tidegate resume` continues it."""


class CommandError(Exception):
    """Ends the command with a message for the user and an exit code."""

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        expected: str = "",
        found: str = "",
        fix: str = "",
        code: Exit = Exit.USAGE,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.facts = {"where": where, "expected": expected, "found": found, "fix": fix}
        self.code = code


def block(what: str, facts: dict[str, str] | None = None) -> list[str]:
    """The lines of an error: `error: ...`, then one indented line (or more) for each fact that is known."""
    first, *rest = what.strip().splitlines() or [""]
    lines = [f"error: {first}", *(f"  {line}" for line in rest)]
    for name, text in (facts or {}).items():
        for number, line in enumerate(text.splitlines()):
            lines.append(f"  {name + ':' if number == 0 else '':<10}{line}")
    return lines


def near(word: str, words: list[str]) -> str:
    """` did you mean 'x'?` for a typo, else nothing."""
    from difflib import get_close_matches

    found = get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean {found[0]!r}?" if found else ""

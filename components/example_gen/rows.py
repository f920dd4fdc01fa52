"""Rows that cannot be used: counted against a budget, with file and line, so that the user finds them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.components.errors import ComponentError

SHOWN = 10


@dataclass(slots=True)
class BadRows:
    """At most `allowed` rows may be left out; -1: any number."""

    allowed: int = 0
    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, said: list[str], count: int | None = None) -> None:
        """One line for each of the first bad rows; `count` where they are more.

        Raises: ComponentError above the budget.
        """
        self.count += len(said) if count is None else count
        self.shown += said[: max(0, SHOWN - len(self.shown))]
        if 0 <= self.allowed < self.count:
            more = f"\n  ... and {self.count - len(self.shown)} more" if self.count > len(self.shown) else ""
            raise ComponentError(
                f"{self.count} bad row{'s' if self.count > 1 else ''}, max_bad_rows is {self.allowed}:\n  "
                + "\n  ".join(self.shown)
                + more
                + "\nMend the file, or leave such rows out with max_bad_rows (-1: however many)"
            )

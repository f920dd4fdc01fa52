"""Which zygote forks a task. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum


class Growth(Enum):
    LOADING = "loading"
    READY = "ready"
    GONE = "gone"


class Verdict(StrEnum):
    WAIT = "wait"  # what the task imports is on its way, sooner than the task would have it by itself
    NONE = "none"  # no zygote will do: the task needs an interpreter of its own


@dataclass(slots=True)
class Level:
    """One zygote: the name of the module that it adds, and the top-level modules that it has imported so far."""

    module: str
    growth: Growth = Growth.LOADING
    roots: frozenset[str] = frozenset()
    memory: int = 0
    """Bytes that its children have from the beginning."""


def choose(
    levels: Sequence[Level], imports: frozenset[str], overlay: frozenset[str], plain: bool, memory: int = 0
) -> int | Verdict:
    """The place of the zygote for a task that imports the top-level modules `imports`.

    overlay: top-level modules that the task brings in other versions; a zygote that has one of them will not do.
    plain: the task changes variables that libraries read when they are imported, so it starts from the lowest zygote.
    memory: the task's limit, 0 for none; where a zygote's own would fill half of it, the task does without.
    The lowest that has everything wins: its children are the smallest and the quickest to fork.
    """
    usable = [
        place
        for place, level in enumerate(levels)
        if level.growth is not Growth.GONE
        and not level.roots & overlay
        and (place == 0 or not (plain or (memory and level.memory > memory / 2)))
    ]
    if not usable or usable[0] != 0:
        return Verdict.NONE
    declared = [place for place in usable if levels[place].module.partition(".")[0] in imports]
    least = max(declared, default=0)
    if levels[least].growth is Growth.LOADING:
        return Verdict.WAIT
    ready = [place for place in usable if place >= least and levels[place].growth is Growth.READY]
    at_hand = imports & frozenset().union(*(levels[place].roots for place in ready))
    return next(place for place in ready if at_hand <= levels[place].roots)

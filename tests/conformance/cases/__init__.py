"""The registry: every construct of the IR as a case."""

from tests.conformance.case import Case
from tests.conformance.cases import (
    artifacts,
    conditions,
    containers,
    embedded,
    endings,
    loops,
    nesting,
    parameters,
    settings,
)

_MODULES = (parameters, containers, artifacts, nesting, conditions, loops, endings, settings, embedded)
CASES: tuple[Case, ...] = tuple(case for module in _MODULES for case in module.CASES)


def case(name: str) -> Case:
    """The case of that name. Raises: KeyError."""
    return {each.name: each for each in CASES}[name]

"""The registry: every construct of the IR as a case."""

from tests.conformance.case import Case
from tests.conformance.cases import artifacts, conditions, containers, loops, nesting, parameters

CASES: tuple[Case, ...] = (
    *parameters.CASES,
    *containers.CASES,
    *artifacts.CASES,
    *nesting.CASES,
    *conditions.CASES,
    *loops.CASES,
)


def case(name: str) -> Case:
    """The case of that name. Raises: KeyError."""
    return {each.name: each for each in CASES}[name]

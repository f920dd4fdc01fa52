"""Chains, artifacts, conditions, loops, failures: one case each."""

from kfp import dsl

from tests.conformance.case import Case, Made
from tests.conformance.components import add, fail, numbers, read, say, total, write


@dsl.pipeline
def chain() -> int:
    return add(a=add(a=1, b=2).output, b=3).output


@dsl.pipeline
def artifacts(text: str = "some words") -> dsl.Dataset:
    written = write(text=text)
    read(data=written.outputs["data"])
    return written.outputs["data"]


@dsl.pipeline
def branches(n: int = 3) -> str:
    first = add(a=n, b=0)
    with dsl.If(first.output == 1):
        one = say(text="one")
    with dsl.Elif(first.output == 3):
        three = say(text="three")
    with dsl.Else():
        other = say(text="other")
    return dsl.OneOf(one.output, three.output, other.output)


@dsl.pipeline
def loop(n: int = 3) -> int:
    with dsl.ParallelFor(numbers(n=n).output) as item:
        each = add(a=item, b=1)
    return total(values=dsl.Collected(each.output)).output


@dsl.pipeline
def failure():
    bad = fail(message="on purpose")
    add(a=bad.output, b=1)
    say(text="independent")


CASES = (
    Case("tasks: a chain", chain, {"Output": 6}, ran=2),
    Case(
        "artifacts: one written, and read",
        artifacts,
        {"Output": Made("some words", "system.Dataset", {"length": 10})},
        ran=2,
        values={"read": {"Output": "some words"}},
    ),
    Case(
        "conditions: If, Elif, Else, OneOf",
        branches,
        {"Output": "three"},
        skipped=frozenset({"condition-branches-1/condition-2", "condition-branches-1/condition-4"}),
        ran=2,
    ),
    Case("loops: over an output, collected", loop, {"Output": 6}, ran=5),
    Case(
        "failures: what needs a failed task is skipped, what does not runs",
        failure,
        state="failed",
        failed={"fail": "on purpose"},
        skipped=frozenset({"add"}),
        ran=2,
    ),
)

"""Pipelines in pipelines, and what pipelines give on."""

# ruff: noqa: UP014, UP006, UP035, UP045 - what kfp reads

from typing import List, NamedTuple, Optional

from kfp import components, dsl

from tests.conformance.case import Case, Made, compiled
from tests.conformance.components import add, fail, read, say, seen, total, write


@dsl.pipeline
def plus_ten(x: int) -> int:
    return add(a=x, b=10).output


@dsl.pipeline
def two_levels() -> int:
    return plus_ten(x=plus_ten(x=1).output).output


@dsl.pipeline
def deeper(x: int) -> int:
    return plus_ten(x=two_levels().output).output


@dsl.pipeline
def total_of(a: int, b: int) -> int:
    return add(a=a, b=b).output


@dsl.pipeline
def four_levels() -> int:
    inner = deeper(x=0)
    return total_of(a=inner.output, b=1).output


@dsl.pipeline
def writes(text: str = "inner default") -> NamedTuple("Wrote", [("data", dsl.Dataset), ("said", str)]):  # type: ignore[misc, valid-type]
    wrote = NamedTuple("Wrote", [("data", dsl.Dataset), ("said", str)])  # type: ignore[misc]
    return wrote(data=write(text=text).outputs["data"], said=say(text=text).output)


@dsl.pipeline
def reads(data: dsl.Input[dsl.Dataset]) -> str:
    return read(data=data).output


@dsl.pipeline
def artifacts_through() -> dsl.Dataset:
    made = writes(text="through")
    reads(data=made.outputs["data"])
    say(text=made.outputs["said"])
    return made.outputs["data"]


@dsl.pipeline
def default_inside() -> str:
    return writes().outputs["said"]


@dsl.pipeline
def shows(whole: Optional[int] = None, text: Optional[str] = None, real: float = 0.5) -> str:
    return seen(whole=whole, text=text, real=real).output


@dsl.pipeline
def optional_through(text: Optional[str] = None, real: Optional[float] = None) -> str:
    return shows(text=text, real=real).output


LOADED = components.load_component_from_text(compiled(plus_ten))


@dsl.pipeline
def from_yaml() -> int:
    return LOADED(x=LOADED(x=1).output).output


@dsl.pipeline
def fails_inside(x: int) -> int:
    bad = fail(message="deep down")
    return add(a=bad.output, b=x).output


@dsl.pipeline
def failure_of_a_nested_one():
    bad = fails_inside(x=1)
    plus_ten(x=bad.output)
    say(text="independent")


@dsl.pipeline
def order_of_nested_ones() -> int:
    first = writes(text="first")
    second = plus_ten(x=1).after(first)
    return add(a=1, b=1).after(second).output


@dsl.pipeline
def passes_lists(values: List[int]) -> int:
    return total(values=values).output


@dsl.pipeline
def lists_through(values: List[int] = [1, 2, 3]) -> int:  # noqa: B006
    return passes_lists(values=values).output


@dsl.pipeline
def nothing_but_itself(n: int = 4) -> int:
    return plus_ten(x=n).output


CASES = (
    Case("nested pipelines: two, one after the other", two_levels, {"Output": 21}, ran=2),
    Case("nested pipelines: four levels", four_levels, {"Output": 32}, ran=4),
    Case(
        "nested pipelines: artifacts and parameters through them",
        artifacts_through,
        {"Output": Made("through", "system.Dataset", {"length": 7})},
        ran=4,
        values={"reads/read": {"Output": "through"}, "say": {"Output": "through"}},
    ),
    Case("nested pipelines: defaults of the inner one", default_inside, {"Output": "inner default"}, ran=2),
    Case(
        "nested pipelines: optional inputs not given",
        optional_through,
        {"Output": "[null, 0.5, null, null, null, null]"},
        ran=1,
    ),
    Case(
        "nested pipelines: optional inputs given",
        optional_through,
        {"Output": '[null, 1.0, "t", null, null, null]'},
        {"text": "t", "real": 1},
        ran=1,
    ),
    Case("nested pipelines: loaded from YAML", from_yaml, {"Output": 21}, ran=2),
    Case(
        "nested pipelines: one fails",
        failure_of_a_nested_one,
        state="failed",
        failed={"fails-inside/fail": "deep down"},
        skipped=frozenset({"fails-inside/add", "plus-ten"}),
        ran=2,
    ),
    Case("nested pipelines: order by after", order_of_nested_ones, {"Output": 2}, ran=4),
    Case("nested pipelines: lists through them", lists_through, {"Output": 6}, ran=1),
    Case("pipeline outputs: of a nested pipeline", nothing_but_itself, {"Output": 14}, ran=1),
)

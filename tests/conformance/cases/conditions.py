"""If, Elif, Else, OneOf."""

# ruff: noqa: E712, UP045 - conditions that kfp reads

from typing import Optional

from kfp import dsl

from tests.conformance.case import Case, Made, document, text
from tests.conformance.components import add, component, numbers, read, say, write


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
def operators(whole: int = 3, real: float = 2.5, text: str = "b", yes: bool = True) -> None:
    with dsl.If(whole == 3):
        say(text="1")
    with dsl.If(whole != 3):
        say(text="2")
    with dsl.If(whole > 2):
        say(text="3")
    with dsl.If(whole >= 4):
        say(text="4")
    with dsl.If(whole < 4):
        say(text="5")
    with dsl.If(whole <= 2):
        say(text="6")
    with dsl.If(real > 2.25):
        say(text="7")
    with dsl.If(real == 2.5):
        say(text="8")
    with dsl.If(real < -0.5):
        say(text="9")
    with dsl.If(text == "b"):
        say(text="10")
    with dsl.If(text != "b"):
        say(text="11")
    with dsl.If(text < "c"):
        say(text="12")
    with dsl.If(text >= "c"):
        say(text="13")
    with dsl.If(yes == True):
        say(text="14")
    with dsl.If(yes != True):
        say(text="15")


@dsl.pipeline
def two_outputs(n: int = 3):
    first, second = add(a=n, b=1), add(a=4, b=0)
    with dsl.If(first.output == second.output):
        say(text="equal")
    with dsl.If(first.output > second.output):
        say(text="more")
    with dsl.If(first.output != n):
        say(text="not the input")


@component
def is_good(n: int) -> bool:
    return n > 0


@dsl.pipeline
def on_a_boolean_output() -> str:
    with dsl.If(is_good(n=1).output == True):
        good = say(text="good")
    with dsl.Else():
        bad = say(text="bad")
    return dsl.OneOf(good.output, bad.output)


@dsl.pipeline
def strange_texts(text: str = '"so" {{x}} é'):
    with dsl.If(text == '"so" {{x}} é'):
        say(text="same")
    with dsl.If(text == ""):
        say(text="empty")


@dsl.pipeline
def nested_conditions(n: int = 2, text: str = "a") -> str:
    with dsl.If(n > 1):
        with dsl.If(text == "a"):
            both = say(text="both")
            say(text=both.output)
        with dsl.Else():
            say(text="first only")
    with dsl.Else(), dsl.If(text == "a"):
        say(text="second only")
    return say(text="always").output


@dsl.pipeline
def one_of_in_one_of(n: int = 5) -> str:
    with dsl.If(n > 3):
        with dsl.If(n > 4):
            big = say(text="big")
        with dsl.Else():
            middling = say(text="middling")
        inner = dsl.OneOf(big.output, middling.output)
        outer = say(text=inner)
    with dsl.Else():
        small = say(text="small")
    return dsl.OneOf(outer.output, small.output)


@dsl.pipeline
def one_of_artifacts(n: int = 1) -> dsl.Dataset:
    with dsl.If(n == 1):
        first = write(text="first")
    with dsl.Else():
        second = write(text="second")
    chosen = dsl.OneOf(first.outputs["data"], second.outputs["data"])
    read(data=chosen)
    return chosen


@dsl.pipeline
def one_of_used(n: int = 3) -> int:
    with dsl.If(n < 3):
        one = add(a=n, b=1)
    with dsl.Elif(n < 4):
        two = add(a=n, b=2)
    with dsl.Else():
        three = add(a=n, b=3)
    return add(a=dsl.OneOf(one.output, two.output, three.output), b=100).output


@dsl.pipeline
def after_a_skipped_task() -> str:
    with dsl.If(add(a=1, b=1).output == 3):
        inside = say(text="three")
        say(text=inside.output)
    return say(text="always").output


def with_a_follower() -> str:
    """A task that waits for a group; kfp's compiler allows that for exit handlers only, the IR for any."""
    ir = document(beside_a_group)
    ir["root"]["dag"]["tasks"]["say"]["dependentTasks"] = ["condition-1"]
    return text(ir)


@dsl.pipeline
def beside_a_group():
    with dsl.If(add(a=1, b=1).output == 3):
        add(a=1, b=1)
    say(text="follows")


@dsl.pipeline
def several_inside(n: int = 1) -> str:
    with dsl.If(n == 1):
        first = numbers(n=n)
        made = write(text="x").after(first)
        read(data=made.outputs["data"])
    return say(text="end").output


@dsl.pipeline
def in_a_nested_one(n: int) -> str:
    with dsl.If(n == 1):
        one = say(text="one")
    with dsl.Else():
        other = say(text="other")
    return dsl.OneOf(one.output, other.output)


@dsl.pipeline
def nested_one_of() -> str:
    return say(text=in_a_nested_one(n=2).output).output


@dsl.pipeline
def on_a_missing_value(text: Optional[str] = None):
    with dsl.If(text == "a"):
        say(text="a")


def groups(*numbered: int) -> frozenset[str]:
    return frozenset(f"condition-{number}" for number in numbered)


CASES = (
    Case(
        "conditions: If, Elif, Else: the first",
        branches,
        {"Output": "one"},
        {"n": 1},
        skipped=frozenset({"condition-branches-1/condition-3", "condition-branches-1/condition-4"}),
        ran=2,
    ),
    Case(
        "conditions: If, Elif, Else: the second",
        branches,
        {"Output": "three"},
        skipped=frozenset({"condition-branches-1/condition-2", "condition-branches-1/condition-4"}),
        ran=2,
    ),
    Case(
        "conditions: If, Elif, Else: the last",
        branches,
        {"Output": "other"},
        {"n": 9},
        skipped=frozenset({"condition-branches-1/condition-2", "condition-branches-1/condition-3"}),
        ran=2,
    ),
    Case(
        "conditions: every operator on every type",
        operators,
        skipped=groups(2, 4, 6, 9, 11, 13, 15),
        ran=8,
    ),
    Case("conditions: two outputs compared", two_outputs, skipped=groups(2), ran=4),
    Case(
        "conditions: on a boolean output",
        on_a_boolean_output,
        {"Output": "good"},
        skipped=frozenset({"condition-branches-1/condition-3"}),
        ran=2,
    ),
    Case("conditions: texts with quotes and braces", strange_texts, skipped=groups(2), ran=1),
    Case(
        "conditions: in conditions, both true",
        nested_conditions,
        {"Output": "always"},
        skipped=frozenset(
            {
                "condition-branches-1/condition-5/condition-branches-2/condition-4",
                "condition-branches-1/condition-6",
            }
        ),
        ran=3,
    ),
    Case(
        "conditions: in conditions, none true",
        nested_conditions,
        {"Output": "always"},
        {"n": 0, "text": "b"},
        skipped=frozenset({"condition-branches-1/condition-5", "condition-branches-1/condition-6/condition-7"}),
        ran=1,
    ),
    Case(
        "OneOf: in OneOf",
        one_of_in_one_of,
        {"Output": "middling"},
        {"n": 4},
        skipped=frozenset(
            {
                "condition-branches-1/condition-5/condition-branches-2/condition-3",
                "condition-branches-1/condition-6",
            }
        ),
        ran=2,
    ),
    Case(
        "OneOf: artifacts",
        one_of_artifacts,
        {"Output": Made("second", "system.Dataset", {"length": 6})},
        {"n": 2},
        skipped=frozenset({"condition-branches-1/condition-2"}),
        ran=2,
        values={"read": {"Output": "second"}},
    ),
    Case(
        "OneOf: used by a task",
        one_of_used,
        {"Output": 105},
        skipped=frozenset({"condition-branches-1/condition-2", "condition-branches-1/condition-4"}),
        ran=2,
    ),
    Case(
        "OneOf: in a nested pipeline",
        nested_one_of,
        {"Output": "other"},
        skipped=frozenset({"in-a-nested-one/condition-branches-1/condition-2"}),
        ran=2,
    ),
    Case("conditions: a false one", after_a_skipped_task, {"Output": "always"}, skipped=groups(1), ran=2),
    Case(
        "conditions: what comes after a skipped group is skipped",
        with_a_follower,
        skipped=frozenset({"condition-1", "say"}),
        ran=1,
    ),
    Case("conditions: several tasks inside", several_inside, {"Output": "end"}, ran=4),
    Case(
        "conditions: on a parameter that was not given",
        on_a_missing_value,
        state="failed",
        failed={"condition-1": "has no value"},
        ran=1,
    ),
)

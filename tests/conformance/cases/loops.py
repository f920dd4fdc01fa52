"""ParallelFor and Collected."""

# ruff: noqa: UP014, UP006, UP035 - what kfp reads

from typing import Dict, List, NamedTuple

from kfp import dsl

from tests.conformance.case import Case, Made
from tests.conformance.components import (
    add,
    as_json,
    component,
    fail,
    joined,
    numbers,
    read,
    read_all,
    say,
    total,
    write,
)


@dsl.pipeline
def over_an_output(n: int = 3) -> int:
    with dsl.ParallelFor(numbers(n=n).output) as item:
        each = add(a=item, b=1)
    return total(values=dsl.Collected(each.output)).output


@dsl.pipeline
def over_a_parameter(words: List[str] = ["a", "b c", ""]) -> str:  # noqa: B006
    with dsl.ParallelFor(words) as word:
        each = say(text=word)
    return joined(values=dsl.Collected(each.output)).output


@dsl.pipeline
def over_constants() -> int:
    with dsl.ParallelFor([1, 2, 3], parallelism=2) as n:
        each = add(a=n, b=1)
    return total(values=dsl.Collected(each.output)).output


@dsl.pipeline
def over_texts() -> str:
    with dsl.ParallelFor(["x", 'y "z"', "{{$.inputs}}"]) as text:
        each = say(text=f"<{text}>")
    return joined(values=dsl.Collected(each.output)).output


@dsl.pipeline
def over_objects() -> int:
    with dsl.ParallelFor([{"a": 1, "b": 2}, {"a": 3, "b": 4}]) as item:
        each = add(a=item.a, b=item.b)
    return total(values=dsl.Collected(each.output)).output


@component
def objects() -> List[Dict[str, int]]:
    return [{"a": 1, "b": 10}, {"a": 2, "b": 20}]


@dsl.pipeline
def over_objects_of_an_output() -> int:
    with dsl.ParallelFor(objects().output) as item:
        each = add(a=item.a, b=item.b)
    return total(values=dsl.Collected(each.output)).output


@component
def keys(item: Dict) -> str:
    return "".join(sorted(item))


@dsl.pipeline
def whole_objects() -> str:
    with dsl.ParallelFor([{"a": 1}, {"b": 2, "c": 3}]) as item:
        each = keys(item=item)
    return joined(values=dsl.Collected(each.output)).output


@dsl.pipeline
def nested() -> str:
    with dsl.ParallelFor([1, 2]) as outer, dsl.ParallelFor([10, 20, 30]) as inner:
        each = add(a=outer, b=inner)
    return as_json(values=dsl.Collected(each.output)).output


@dsl.pipeline
def nested_over_outputs() -> str:
    with dsl.ParallelFor(numbers(n=3).output) as outer, dsl.ParallelFor(numbers(n=outer).output) as inner:
        each = add(a=outer, b=inner)
    return as_json(values=dsl.Collected(each.output)).output


@dsl.pipeline
def lists_in_objects() -> str:
    with dsl.ParallelFor([{"called": "a", "held": [1, 2]}, {"called": "b", "held": []}]) as item:
        say(text=item.called)
        with dsl.ParallelFor(item.held) as value:
            each = add(a=value, b=0)
    return as_json(values=dsl.Collected(each.output)).output


@dsl.pipeline
def collected_inside() -> str:
    with dsl.ParallelFor([1, 2]) as outer:
        with dsl.ParallelFor([10, 20]) as inner:
            each = add(a=outer, b=inner)
        summed = total(values=dsl.Collected(each.output))
    return as_json(values=dsl.Collected(summed.output)).output


@dsl.pipeline
def three_levels() -> str:
    with dsl.ParallelFor([1, 2]) as one, dsl.ParallelFor([10, 20]) as two, dsl.ParallelFor([100]) as three:
        each = add(a=add(a=one, b=two).output, b=three)
    return as_json(values=dsl.Collected(each.output)).output


@dsl.pipeline
def artifacts_collected() -> str:
    with dsl.ParallelFor(["a", "b", "c"]) as text:
        made = write(text=text)
    return read_all(data=dsl.Collected(made.outputs["data"])).output


@dsl.pipeline
def artifacts_of_two_levels() -> str:
    with dsl.ParallelFor(["a", "b"]) as one, dsl.ParallelFor(["x", "y"]) as two:
        say(text=one)
        made = write(text=two)
    return read_all(data=dsl.Collected(made.outputs["data"])).output


@dsl.pipeline
def gives_artifacts() -> List[dsl.Dataset]:
    with dsl.ParallelFor(["a", "b"]) as text:
        made = write(text=text)
    return dsl.Collected(made.outputs["data"])


@dsl.pipeline
def over_artifacts() -> str:
    with dsl.ParallelFor(gives_artifacts().output) as one:
        each = read(data=one)
    return joined(values=dsl.Collected(each.output)).output


@dsl.pipeline
def gives_both() -> NamedTuple("Both", [("lengths", List[str]), ("made", List[dsl.Dataset])]):  # type: ignore[misc, valid-type]
    with dsl.ParallelFor(["a", "bb"]) as text:
        made = write(text=text)
        each = read(data=made.outputs["data"])
    both = NamedTuple("Both", [("lengths", List[str]), ("made", List[dsl.Dataset])])  # type: ignore[misc]
    return both(lengths=dsl.Collected(each.output), made=dsl.Collected(made.outputs["data"]))


@dsl.pipeline
def given_lists(words: List[str]) -> str:
    with dsl.ParallelFor(words) as word:
        each = say(text=f"{word}!")
    return joined(values=dsl.Collected(each.output)).output


@dsl.pipeline
def over_what_a_loop_gives() -> str:
    return given_lists(words=gives_both().outputs["lengths"]).output


@dsl.pipeline
def nested_pipeline_in_a_loop() -> str:
    with dsl.ParallelFor([["a"], ["b", "c"]]) as words:
        each = given_lists(words=words)
    return joined(values=dsl.Collected(each.output)).output


@dsl.pipeline
def empty_artifacts(words: List[str] = []) -> str:  # noqa: B006
    with dsl.ParallelFor(words) as word:
        made = write(text=word)
    return read_all(data=dsl.Collected(made.outputs["data"])).output


@dsl.pipeline
def empty_nested() -> str:
    with dsl.ParallelFor([1, 2]) as outer, dsl.ParallelFor(numbers(n=0).output) as inner:
        each = add(a=outer, b=inner)
    return as_json(values=dsl.Collected(each.output)).output


@dsl.pipeline
def condition_in_a_loop() -> str:
    with dsl.ParallelFor([1, 2, 3]) as n:
        with dsl.If(n == 2):
            say(text="two")
        each = add(a=n, b=0)
    return as_json(values=dsl.Collected(each.output)).output


@dsl.pipeline
def collected_from_a_condition() -> str:
    with dsl.ParallelFor([1, 2, 3]) as n, dsl.If(n >= 2):
        each = add(a=n, b=0)
    return as_json(values=dsl.Collected(each.output)).output


@dsl.pipeline
def one_of_in_a_loop() -> str:
    with dsl.ParallelFor([1, 2, 3]) as n:
        with dsl.If(n == 2):
            two = say(text="two")
        with dsl.Else():
            other = say(text=f"other {n}")
        each = say(text=dsl.OneOf(two.output, other.output))
    return joined(values=dsl.Collected(each.output)).output


@dsl.pipeline
def loop_in_a_condition(go: bool = True) -> str:
    with dsl.If(go == True), dsl.ParallelFor([1, 2]) as n:  # noqa: E712
        add(a=n, b=0)
    return say(text="end").output


@dsl.pipeline
def one_iteration_fails():
    with dsl.ParallelFor([1, 2, 3]) as n:
        with dsl.If(n == 2):
            fail(message="the second")
        add(a=n, b=0)
    say(text="independent")


@dsl.pipeline
def collecting_from_a_failed_loop():
    with dsl.ParallelFor([1, 2]) as n:
        each = fail(message=f"number {n}")
    total(values=dsl.Collected(each.output))


@component
def bare() -> list:
    return [1, "a", 2.5, True, [None], {"k": 1}]


@dsl.pipeline
def mixed_types() -> str:
    with dsl.ParallelFor(bare().output) as item:
        each = say(text=item)
    return joined(values=dsl.Collected(each.output)).output


CASES = (
    Case("loops: over an output, collected", over_an_output, {"Output": 6}, ran=5),
    Case("loops: over a parameter", over_a_parameter, {"Output": "a+b c+"}, ran=4),
    Case("loops: over a parameter that is given", over_a_parameter, {"Output": "z"}, {"words": ["z"]}, ran=2),
    Case("loops: over constants, two at a time", over_constants, {"Output": 9}, ran=4),
    Case("loops: over texts", over_texts, {"Output": '<x>+<y "z">+<{{$.inputs}}>'}, ran=4),
    Case("loops: over objects, by attribute", over_objects, {"Output": 10}, ran=3),
    Case("loops: over objects of an output", over_objects_of_an_output, {"Output": 33}, ran=4),
    Case("loops: over objects, whole", whole_objects, {"Output": "a+bc"}, ran=3),
    Case(
        "loops: over a list of any types, as texts",
        mixed_types,
        {"Output": '1+a+2.5+true+[null]+{"k":1}'},
        ran=8,
        backend="no: items of a bare list that are no texts are refused (use List[int])",
    ),
    Case("nested loops: constants", nested, {"Output": "[[11, 21, 31], [12, 22, 32]]"}, ran=7),
    Case("nested loops: over outputs", nested_over_outputs, {"Output": "[[], [1], [2, 3]]"}, ran=8),
    Case("nested loops: over lists in objects", lists_in_objects, {"Output": "[[1, 2], []]"}, ran=5),
    Case("nested loops: three levels", three_levels, {"Output": "[[[111], [121]], [[112], [122]]]"}, ran=9),
    Case("Collected: inside the outer loop", collected_inside, {"Output": "[32, 34]"}, ran=7),
    Case("Collected: artifacts", artifacts_collected, {"Output": "a+b+c"}, ran=4),
    Case("Collected: artifacts of two levels, in one list", artifacts_of_two_levels, {"Output": "x+y+x+y"}, ran=9),
    Case(
        "Collected: as outputs of the pipeline",
        gives_both,
        {
            "lengths": ["a", "bb"],
            "made": (Made("a", "system.Dataset", {"length": 1}), Made("bb", "system.Dataset", {"length": 2})),
        },
        ran=4,
    ),
    Case(
        "Collected: of an empty loop",
        over_an_output,
        {"Output": 0},
        {"n": 0},
        ran=2,
        backend="a known gap: empty loops",
    ),
    Case(
        "Collected: artifacts of an empty loop",
        empty_artifacts,
        {"Output": ""},
        ran=1,
        backend="a known gap: empty loops",
    ),
    Case(
        "Collected: of empty loops in a loop",
        empty_nested,
        {"Output": "[[], []]"},
        ran=3,
        backend="a known gap: empty loops",
    ),
    Case(
        "Collected: from a condition in the loop",
        collected_from_a_condition,
        {"Output": "[2, 3]"},
        skipped=frozenset({"for-loop-2/0/condition-3"}),
        ran=3,
    ),
    Case("loops over artifacts", over_artifacts, {"Output": "a+b"}, ran=5),
    Case("loops over what a loop of a nested pipeline gives", over_what_a_loop_gives, {"Output": "a!+bb!"}, ran=7),
    Case("loops of nested pipelines with loops", nested_pipeline_in_a_loop, {"Output": "a!+b!+c!"}, ran=6),
    Case(
        "conditions in loops",
        condition_in_a_loop,
        {"Output": "[1, 2, 3]"},
        skipped=frozenset({"for-loop-2/0/condition-3", "for-loop-2/2/condition-3"}),
        ran=5,
    ),
    Case(
        "conditions in loops: OneOf",
        one_of_in_a_loop,
        {"Output": "other 1+two+other 3"},
        skipped=frozenset(
            {
                "for-loop-2/0/condition-branches-3/condition-4",
                "for-loop-2/1/condition-branches-3/condition-5",
                "for-loop-2/2/condition-branches-3/condition-4",
            }
        ),
        ran=7,
    ),
    Case("loops in conditions", loop_in_a_condition, {"Output": "end"}, ran=3),
    Case(
        "loops in conditions: a false one",
        loop_in_a_condition,
        {"Output": "end"},
        {"go": False},
        skipped=frozenset({"condition-1"}),
        ran=1,
    ),
    Case(
        "failures: one iteration",
        one_iteration_fails,
        state="failed",
        failed={"for-loop-2/1/condition-3/fail": "the second"},
        skipped=frozenset({"for-loop-2/0/condition-3", "for-loop-2/2/condition-3"}),
        ran=5,
    ),
    Case(
        "failures: collecting from a loop that failed",
        collecting_from_a_failed_loop,
        state="failed",
        failed={"for-loop-2/0/fail": "number 1", "for-loop-2/1/fail": "number 2"},
        skipped=frozenset({"total"}),
        ran=2,
    ),
)

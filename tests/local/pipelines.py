"""One pipeline per construct, with what it must give."""

# ruff: noqa: UP006, UP035 - what kfp reads
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, List

from kfp import dsl

component = partial(dsl.component, base_image="python:3.11")


@component
def add(a: int, b: int) -> int:
    return a + b


@component
def say(text: str) -> str:
    return text


@component
def numbers(n: int) -> List[int]:
    return list(range(n))


@component
def total(values: List[int]) -> int:
    return sum(values)


@component
def fail() -> int:
    raise ValueError("on purpose")


@component
def flaky(good_at: int) -> int:
    return good_at


@component
def status(status: dsl.PipelineTaskFinalStatus) -> str:
    return status.state


@component
def make(data: dsl.Output[dsl.Dataset]):
    pass


@component
def use(data: dsl.Input[dsl.Dataset]):
    pass


@component
def count(data: dsl.Input[List[dsl.Dataset]]) -> int:
    return len(data)


@dataclass(frozen=True)
class Case:
    name: str
    pipeline: Any
    outputs: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    state: str = "succeeded"
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dsl.pipeline
def chain() -> int:
    return add(a=add(a=1, b=2).output, b=3).output


@dsl.pipeline
def fan_of_20():
    for n in range(20):
        add(a=n, b=1)


@dsl.pipeline
def inner(x: int) -> int:
    return add(a=x, b=10).output


@dsl.pipeline
def nested() -> int:
    return inner(x=inner(x=1).output).output


@dsl.pipeline
def conditions(n: int = 3) -> str:
    first = add(a=n, b=0)
    with dsl.If(first.output == 1):
        one = say(text="one")
    with dsl.Elif(first.output == 3):
        three = say(text="three")
    with dsl.Else():
        other = say(text="other")
    return dsl.OneOf(one.output, three.output, other.output)


@dsl.pipeline
def loop() -> int:
    with dsl.ParallelFor([1, 2, 3], parallelism=2) as n:
        each = add(a=n, b=1)
    return total(values=dsl.Collected(each.output)).output


@dsl.pipeline
def loop_over_output(n: int = 4) -> int:
    with dsl.ParallelFor(numbers(n=n).output) as item:
        each = add(a=item, b=0)
    return total(values=dsl.Collected(each.output)).output


@dsl.pipeline
def loop_over_objects() -> int:
    with dsl.ParallelFor([{"a": 1, "b": 2}, {"a": 3, "b": 4}]) as item:
        each = add(a=item.a, b=item.b)
    return total(values=dsl.Collected(each.output)).output


@dsl.pipeline
def loop_of_artifacts() -> int:
    with dsl.ParallelFor([1, 2, 3]) as n:
        add(a=n, b=0)
        made = make()
    return count(data=dsl.Collected(made.outputs["data"])).output


@dsl.pipeline
def several() -> List[dsl.Dataset]:
    with dsl.ParallelFor([1, 2]) as n:
        add(a=n, b=0)
        made = make()
    return dsl.Collected(made.outputs["data"])


@dsl.pipeline
def loop_over_artifacts():
    with dsl.ParallelFor(several().output) as one:
        use(data=one)


@dsl.pipeline
def loops_in_loops():
    with dsl.ParallelFor([1, 2]) as outer, dsl.ParallelFor([10, 20, 30]) as inside:
        add(a=outer, b=inside)


@dsl.pipeline
def exit_after_failure():
    with dsl.ExitHandler(status()):
        fail()
        add(a=1, b=2)


@dsl.pipeline
def failure_with_followers():
    bad = fail()
    add(a=bad.output, b=1)
    say(text="independent")


@dsl.pipeline
def ignoring_failure():
    bad = fail()
    say(text="anyway").after(bad).ignore_upstream_failure()


@dsl.pipeline
def retried() -> int:
    return flaky(good_at=3).set_retry(num_retries=2).output


@dsl.pipeline
def retried_in_a_loop():
    with dsl.ParallelFor([1, 2, 4]) as n:
        flaky(good_at=n).set_retry(num_retries=3, backoff_duration="5s")


@dsl.pipeline
def retried_in_vain():
    flaky(good_at=9).set_retry(num_retries=1)


@dsl.pipeline
def greedy():
    add(a=1, b=1).set_cpu_limit("64")


@dsl.pipeline
def quoting(name: str = "Ada") -> str:
    return say(text=f"Hello, {name}!").output


PIPELINES = [
    Case("chain", chain, {"Output": 6}),
    Case("fan of 20", fan_of_20),
    Case("nested", nested, {"Output": 21}, {"inner/add": "succeeded", "inner-2": "succeeded"}),
    Case("if", conditions, {"Output": "one"}, parameters={"n": 1}),
    Case(
        "elif",
        conditions,
        {"Output": "three"},
        {"condition-branches-1/condition-2": "skipped", "condition-branches-1/condition-3": "succeeded"},
        parameters={"n": 3},
    ),
    Case("else", conditions, {"Output": "other"}, parameters={"n": 7}),
    Case("loop", loop, {"Output": 9}, {"for-loop-2/0/add": "succeeded", "for-loop-2/2": "succeeded"}),
    Case("loop over output", loop_over_output, {"Output": 6}, parameters={"n": 4}),
    Case("empty loop", loop_over_output, {"Output": 0}, {"for-loop-1": "succeeded"}, parameters={"n": 0}),
    Case("loop over objects", loop_over_objects, {"Output": 10}),
    Case("loop of artifacts", loop_of_artifacts, {"Output": 3}),
    Case("loop over artifacts", loop_over_artifacts, {}, {"for-loop-1/1/use": "succeeded"}),
    Case("loops in loops", loops_in_loops, {}, {"for-loop-2/1/for-loop-4/2/add": "succeeded"}),
    Case("exit handler", exit_after_failure, {}, {"status": "succeeded", "exit-handler-1": "failed"}, "failed"),
    Case(
        "failure",
        failure_with_followers,
        {},
        {"fail": "failed", "add": "skipped", "say": "succeeded"},
        "failed",
    ),
    Case("ignore upstream failure", ignoring_failure, {}, {"say": "succeeded"}, "failed"),
    Case("retry", retried, {"Output": 3}),
    Case("retry in a loop", retried_in_a_loop),
    Case("retry in vain", retried_in_vain, {}, {"flaky": "failed"}, "failed"),
    Case("greedy", greedy, {}, {"add": "failed"}, "failed"),
    Case("quoting", quoting, {"Output": "Hello, Grace!"}, parameters={"name": "Grace"}),
]

"""One pipeline per construct, with what it must give."""

# ruff: noqa: UP006, UP035, UP045, B006 - what kfp reads
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Dict, List, Optional

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
def nested_total(values: List[List[int]]) -> int:
    return sum(sum(inner) for inner in values)


@component
def things(n: int) -> list:
    return list(range(n))


@component
def note(
    text: Optional[str] = None,
    whole: Optional[int] = None,
    real: float = 0.5,
    struct: Dict = {},
    items: List = [],
) -> str:
    return repr(locals())


@component
def add_if_given(a: int = 7, b: int = 0) -> int:
    return a + b


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
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


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


@dsl.pipeline
def quoting_inside(n: int = 3, real: float = 2.0, yes: bool = True):
    note(struct={"n": n, "deep": [f"x{n}", {"real": real}]}, items=[1, 2.5, yes])
    say(text=f"{n} {real} {yes}")


@dsl.pipeline
def run_time_names():
    say(text=f"{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}/{dsl.PIPELINE_TASK_NAME_PLACEHOLDER}")


@dsl.pipeline
def nested_loops_over_output(n: int = 2) -> int:
    with dsl.ParallelFor(numbers(n=n).output) as outer, dsl.ParallelFor([10, 20], parallelism=1) as inside:
        each = add(a=outer, b=inside)
    return nested_total(values=dsl.Collected(each.output)).output


@dsl.pipeline
def loop_over_a_bare_list(n: int = 3) -> int:
    with dsl.ParallelFor(things(n=n).output) as item:
        each = add(a=item, b=1)
    return total(values=dsl.Collected(each.output)).output


@dsl.pipeline
def loop_over_lists_in_objects():
    with dsl.ParallelFor([{"called": "a", "held": [1, 2]}, {"called": "b", "held": []}]) as item:
        say(text=item.called)
        with dsl.ParallelFor(item.held) as value:
            add(a=value, b=0)


@dsl.pipeline
def condition_in_a_loop() -> int:
    with dsl.ParallelFor([1, 2, 3]) as n:
        with dsl.If(n == 2):
            say(text="two")
        each = add(a=n, b=0)
    return total(values=dsl.Collected(each.output)).output


@dsl.pipeline
def loop_in_a_condition(go: bool = True):
    with dsl.If(go == True), dsl.ParallelFor([1, 2]) as n:  # noqa: E712 - a channel
        add(a=n, b=0)


@dsl.pipeline
def conditions_of_all_types(text: str = "a c", real: float = 0.5, whole: int = 2, yes: bool = True):
    with dsl.If(text == "a c"):
        say(text="text")
    with dsl.If(real >= 0.25):
        say(text="real")
    with dsl.If(real > whole):
        say(text="both")
    with dsl.If(whole < 2.5):
        say(text="mixed")
    with dsl.If(yes != True):  # noqa: E712
        say(text="no")


@dsl.pipeline
def one_of_artifacts(n: int = 1) -> dsl.Dataset:
    with dsl.If(n == 1):
        first = make()
    with dsl.Else():
        second = make()
    use(data=dsl.OneOf(first.outputs["data"], second.outputs["data"]))
    return dsl.OneOf(first.outputs["data"], second.outputs["data"])


@dsl.pipeline
def after_an_exit_handler():
    with dsl.ExitHandler(status()) as handler:
        add(a=1, b=2)
    say(text="after").after(handler)


@dsl.pipeline
def false_inside() -> str:
    with dsl.If(add(a=1, b=1).output == 3):
        inside = say(text="three")
        say(text=inside.output)
    return say(text="always").output


@dsl.pipeline
def optional_through_a_group(name: Optional[str] = None, go: bool = True):
    with dsl.If(go == True):  # noqa: E712
        note(text=name, whole=1)
    note(text=name)


@dsl.pipeline
def needing_what_was_not_given(name: Optional[str] = None):
    say(text=name)


@dsl.pipeline
def several_in_two_loops() -> List[dsl.Dataset]:
    with dsl.ParallelFor([1, 2]) as n, dsl.ParallelFor([1, 2]) as m:
        made = make()
        add(a=n, b=m)
    return dsl.Collected(made.outputs["data"])


@dsl.pipeline
def artifacts_of_two_loops() -> int:
    with dsl.ParallelFor(several_in_two_loops().output, parallelism=3) as one:
        use(data=one)
    return count(data=several_in_two_loops().output).output


@dsl.pipeline
def guarded(x: int):
    with dsl.ExitHandler(status()), dsl.ParallelFor([1, 2]) as n:
        add(a=n, b=x)


@dsl.pipeline
def exit_handler_inside():
    guarded(x=2)
    with dsl.ParallelFor([1, 2]) as n:
        flaky(good_at=n)
        fail()


@dsl.pipeline
def default_for_what_failed():
    add_if_given(a=fail().output, b=1).ignore_upstream_failure()


@dsl.pipeline
def importing(uri: str = "/data", who: str = "me"):
    data = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, metadata={"by": who, who: [f"{who}!"]})
    use(data=data.output)


@dsl.pipeline
def resources_from_parameters(cpu: str = "500m", memory: str = "1Gi"):
    say(text="x").set_cpu_limit(cpu).set_memory_limit(memory)


@dsl.pipeline
def memory():
    for _ in range(4):
        add(a=1, b=1).set_memory_limit("2Gi")


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
    Case(
        "quoting inside",
        quoting_inside,
        inputs={
            "note": {
                "items": [1, 2.5, "true"],
                "pipelinechannel--n": 3,
                "pipelinechannel--real": 2.0,
                "pipelinechannel--yes": True,
                "real": 0.5,
                "struct": {"n": "3", "deep": ["x3", {"real": "2"}]},
            },
            "say": {
                "pipelinechannel--n": 3,
                "pipelinechannel--real": 2.0,
                "pipelinechannel--yes": True,
                "text": "3 2 true",
            },
        },
    ),
    Case("run-time names", run_time_names, inputs={"say": {"text": "the-job/say"}}),
    Case("nested loops over output", nested_loops_over_output, {"Output": 62}, parameters={"n": 2}),
    Case("loop over a bare list", loop_over_a_bare_list, {"Output": 6}),
    Case(
        "loop over lists in objects",
        loop_over_lists_in_objects,
        inputs={"for-loop-2/0/say": {"text": "a"}, "for-loop-2/0/for-loop-3/1/add": {"a": 2, "b": 0}},
        states={"for-loop-2/1/for-loop-3": "succeeded"},
    ),
    Case(
        "condition in a loop",
        condition_in_a_loop,
        {"Output": 6},
        {"for-loop-2/0/condition-3": "skipped", "for-loop-2/1/condition-3/say": "succeeded"},
    ),
    Case("loop in a condition", loop_in_a_condition, {}, {"condition-1/for-loop-3/1/add": "succeeded"}),
    Case(
        "loop in a false condition",
        loop_in_a_condition,
        {},
        {"condition-1": "skipped", "condition-1/for-loop-3": None},
        parameters={"go": False},
    ),
    Case(
        "conditions of all types",
        conditions_of_all_types,
        {},
        {
            "condition-1": "succeeded",
            "condition-2": "succeeded",
            "condition-3": "skipped",
            "condition-4": "succeeded",
            "condition-5": "skipped",
        },
    ),
    Case("one of artifacts", one_of_artifacts, {}, {"use": "succeeded"}, parameters={"n": 2}),
    Case("after an exit handler", after_an_exit_handler, {}, {"say": "succeeded", "status": "succeeded"}),
    Case("a false condition", false_inside, {"Output": "always"}, {"condition-1": "skipped", "say-3": "succeeded"}),
    Case(
        "optional through a group",
        optional_through_a_group,
        inputs={
            "condition-1/note": {"whole": 1, "real": 0.5, "struct": {}, "items": []},
            "note-2": {"real": 0.5, "struct": {}, "items": []},
        },
    ),
    Case(
        "needing what was not given",
        needing_what_was_not_given,
        {},
        {"say": "failed"},
        "failed",
        errors={"say": "input 'text' has no value: the pipeline was given no 'name'"},
    ),
    Case("artifacts of two loops", artifacts_of_two_loops, {"Output": 4}, {"for-loop-1/3/use": "succeeded"}),
    Case(
        "exit handler inside",
        exit_handler_inside,
        {},
        {"guarded/status": "succeeded", "guarded/exit-handler-1/for-loop-3/1/add": "succeeded", "for-loop-2": "failed"},
        "failed",
        inputs={"guarded/exit-handler-1/for-loop-3/1/add": {"a": 2, "b": 2}},
    ),
    Case(
        "default for what failed",
        default_for_what_failed,
        {},
        {"add-if-given": "succeeded"},
        "failed",
        inputs={"add-if-given": {"a": 7, "b": 1}},
    ),
    Case("importer", importing, inputs={"importer": {"uri": "/data", "metadata": "me"}}),
    Case("resources from parameters", resources_from_parameters),
    Case(
        "resources that are none",
        resources_from_parameters,
        {},
        {"say": "failed"},
        "failed",
        {"cpu": "many"},
        errors={"say": "expected cores, such as `500m` or `2`, found 'many'"},
    ),
    Case("memory", memory),
]

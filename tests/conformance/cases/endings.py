"""Failures, exit handlers, retries, timeouts, caching."""

# ruff: noqa: UP006, UP035 - what kfp reads

from typing import List

from kfp import dsl, kubernetes

from tests.conformance.case import Case
from tests.conformance.components import add, component, fail, numbers, say, seen, sleep, status_of, total, unreliable


@dsl.pipeline
def failure():
    bad = fail(message="on purpose")
    add(a=bad.output, b=1)
    say(text="independent")


@dsl.pipeline
def long_failure():
    bad = fail(message="first")
    second = add(a=bad.output, b=1)
    add(a=second.output, b=1)


@dsl.pipeline
def exit_after_success() -> str:
    exit_task = status_of()
    with dsl.ExitHandler(exit_task):
        say(text="inside")
    return say(text="outside").output


@dsl.pipeline
def exit_after_failure():
    with dsl.ExitHandler(status_of()):
        fail(message="inside")
        add(a=1, b=2)


@dsl.pipeline
def exit_without_status():
    with dsl.ExitHandler(say(text="cleaned")):
        fail(message="inside")


@dsl.pipeline
def exit_with_inputs(name: str = "a run"):
    with dsl.ExitHandler(say(text=f"after {name}")):
        say(text=name)


@dsl.pipeline
def exit_around_a_loop(fails: int = 2):
    with dsl.ExitHandler(status_of()), dsl.ParallelFor([1, 2, 3]) as n:
        with dsl.If(n == fails):
            fail(message="in the loop")
        add(a=n, b=0)


@dsl.pipeline
def exit_of_a_skipped_group():
    with dsl.ExitHandler(status_of()), dsl.If(add(a=1, b=1).output == 3):
        say(text="never")


@dsl.pipeline
def guarded(x: int):
    with dsl.ExitHandler(status_of()):
        add(a=x, b=1)


@dsl.pipeline
def exit_in_nested_pipelines():
    guarded(x=1)
    with dsl.ParallelFor([1, 2]) as n:
        guarded(x=n)


@component
def state_of(status: dict) -> str:
    return str(status["state"])


@dsl.pipeline
def clean_up(status: dsl.PipelineTaskFinalStatus, who: str = "nobody"):
    say(text=who).after(state_of(status=status))


@dsl.pipeline
def pipeline_as_exit_task(who: str = "me"):
    with dsl.ExitHandler(clean_up(who=who)):
        fail(message="inside")


@dsl.pipeline
def two_exit_handlers():
    with dsl.ExitHandler(say(text="first")):
        fail(message="inside the first")
    with dsl.ExitHandler(say(text="second")):
        say(text="inside the second")


@dsl.pipeline
def exit_task_fails():
    with dsl.ExitHandler(fail(message="the exit task")):
        say(text="inside")


@dsl.pipeline
def after_a_handler() -> str:
    with dsl.ExitHandler(status_of()) as handler:
        say(text="inside")
    return say(text="after").after(handler).output


@component
def add_if_given(a: int = 7, b: int = 0) -> int:
    return a + b


@dsl.pipeline
def default_for_what_failed() -> int:
    return add_if_given(a=fail().output, b=1).ignore_upstream_failure().output


@dsl.pipeline
def order_only():
    say(text="anyway").after(fail()).ignore_upstream_failure()


@dsl.pipeline
def status_of_a_failed_task():
    status_of().after(fail(message="it broke")).ignore_upstream_failure()


@dsl.pipeline
def what_follows_one_that_ignores():
    anyway = say(text="anyway").after(fail()).ignore_upstream_failure()
    say(text=anyway.output)


@dsl.pipeline
def retried() -> str:
    return unreliable().set_retry(num_retries=60).output


@dsl.pipeline
def retried_in_a_loop():
    with dsl.ParallelFor([1, 2, 3]) as n:
        tried = unreliable().set_retry(num_retries=60, backoff_duration="0s")
        add(a=n, b=0).after(tried)


@dsl.pipeline
def retried_in_vain():
    fail(message="always").set_retry(
        num_retries=1, backoff_duration="1s", backoff_factor=1.0, backoff_max_duration="1s"
    )


@dsl.pipeline
def in_time() -> str:
    task = sleep(seconds=0.01)
    kubernetes.set_timeout(task, 60)
    return task.output


@dsl.pipeline
def too_slow():
    task = sleep(seconds=20.0)
    kubernetes.set_timeout(task, 1)


@dsl.pipeline
def not_cached() -> int:
    first = add(a=20, b=1).set_caching_options(False)
    return add(a=first.output, b=1).output


@component
def seconds() -> float:
    import time

    return time.time()


@dsl.pipeline
def what_follows_one_that_is_not_cached():
    seen(real=seconds().set_caching_options(False).output)


@component
def collect(a: int, b: int) -> List[int]:
    return [a, b]


@dsl.pipeline
def custom_keys() -> int:
    first = add(a=30, b=1).set_caching_options(True, cache_key="the same work")
    second = add(a=30, b=500).set_caching_options(True, cache_key="the same work").after(first)
    return total(values=collect(a=first.output, b=second.output).output).output


@dsl.pipeline
def same_work_twice() -> int:
    first = numbers(n=4)
    second = numbers(n=4).after(first)
    return total(values=second.output).output


CASES = (
    Case(
        "failures: what needs a failed task is skipped, what does not runs",
        failure,
        state="failed",
        failed={"fail": "on purpose"},
        skipped=frozenset({"add"}),
        ran=2,
    ),
    Case(
        "failures: a chain",
        long_failure,
        state="failed",
        failed={"fail": "first"},
        skipped=frozenset({"add", "add-2"}),
        ran=1,
    ),
    Case(
        "exit handlers: after success",
        exit_after_success,
        {"Output": "outside"},
        ran=3,
        values={"status-of": {"Output": "exit-handler-1 SUCCEEDED"}},
        again=frozenset({"status-of"}),
    ),
    Case(
        "exit handlers: after failure, with the final status",
        exit_after_failure,
        state="failed",
        failed={"exit-handler-1/fail": "inside"},
        ran=3,
        again=None,
    ),
    Case(
        "exit handlers: a task that asks for no status",
        exit_without_status,
        state="failed",
        failed={"exit-handler-1/fail": "inside"},
        ran=2,
        values={"say": {"Output": "cleaned"}},
    ),
    Case("exit handlers: a task with inputs", exit_with_inputs, ran=2, values={"say": {"Output": "after a run"}}),
    Case(
        "exit handlers: around a loop",
        exit_around_a_loop,
        parameters={"fails": 9},
        skipped=frozenset(f"exit-handler-1/for-loop-3/{n}/condition-4" for n in range(3)),
        ran=4,
        values={"status-of": {"Output": "exit-handler-1 SUCCEEDED"}},
        again=frozenset({"status-of"}),
        backend="a known gap: loops in exit handlers",
    ),
    Case(
        "exit handlers: around a loop that fails",
        exit_around_a_loop,
        state="failed",
        failed={"exit-handler-1/for-loop-3/1/condition-4/fail": "in the loop"},
        skipped=frozenset({"exit-handler-1/for-loop-3/0/condition-4", "exit-handler-1/for-loop-3/2/condition-4"}),
        ran=5,
        again=None,
        backend="a known gap: loops in exit handlers",
    ),
    Case(
        "exit handlers: around what is skipped",
        exit_of_a_skipped_group,
        skipped=frozenset({"exit-handler-1/condition-2"}),
        ran=2,
        values={"status-of": {"Output": "exit-handler-1 SUCCEEDED"}},
        again=frozenset({"status-of"}),
    ),
    Case("exit handlers: in nested pipelines, in loops", exit_in_nested_pipelines, ran=6, again=None),
    Case(
        "exit handlers: a pipeline as exit task",
        pipeline_as_exit_task,
        state="failed",
        failed={"exit-handler-1/fail": "inside"},
        ran=3,
        values={"clean-up/say": {"Output": "me"}, "clean-up/state-of": {"Output": "FAILED"}},
        again=None,
    ),
    Case(
        "exit handlers: two",
        two_exit_handlers,
        state="failed",
        failed={"exit-handler-1/fail": "inside the first"},
        ran=4,
        values={"say": {"Output": "first"}, "say-2": {"Output": "second"}},
    ),
    Case(
        "exit handlers: the exit task fails",
        exit_task_fails,
        state="failed",
        failed={"fail": "the exit task"},
        ran=2,
    ),
    Case(
        "exit handlers: a task after one", after_a_handler, {"Output": "after"}, ran=3, again=frozenset({"status-of"})
    ),
    Case(
        "ignore_upstream_failure: the default for what failed",
        default_for_what_failed,
        {"Output": 8},
        state="failed",
        failed={"fail": "on purpose"},
        ran=2,
    ),
    Case(
        "ignore_upstream_failure: order only",
        order_only,
        state="failed",
        failed={"fail": "on purpose"},
        ran=2,
        values={"say": {"Output": "anyway"}},
    ),
    Case(
        "ignore_upstream_failure: the final status of the task",
        status_of_a_failed_task,
        state="failed",
        failed={"fail": "it broke"},
        ran=2,
        again=None,
    ),
    Case(
        "ignore_upstream_failure: what follows runs",
        what_follows_one_that_ignores,
        state="failed",
        failed={"fail": "on purpose"},
        ran=3,
    ),
    Case("retries: until it succeeds", retried, {"Output": "at last"}, ran=1),
    Case("retries: in a loop", retried_in_a_loop, ran=6, backend="a known gap: retries in loops"),
    Case("retries: in vain", retried_in_vain, state="failed", failed={"fail": "always"}, ran=1),
    Case("timeouts: in time", in_time, {"Output": "awake"}, ran=1),
    Case("timeouts: too slow", too_slow, state="failed", failed={"sleep": ""}, ran=1, again=None),
    Case("caching: off for a task", not_cached, {"Output": 22}, ran=2, again=frozenset({"add"})),
    Case(
        "caching: work on what changed",
        what_follows_one_that_is_not_cached,
        ran=2,
        again=frozenset({"seconds", "seen"}),
    ),
    Case("caching: a key of one's own", custom_keys, {"Output": 62}, ran=4),
    Case("caching: the same work twice in a run", same_work_twice, {"Output": 6}, ran=3),
)

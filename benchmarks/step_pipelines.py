"""Pipelines of trivial steps: a chain, a fan, many tasks, a loop."""

from typing import List  # noqa: UP035 - what KFP's DSL reads

from kfp import dsl


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def add(a: int, b: int) -> int:
    return a + b


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def numbers(n: int) -> List[int]:  # noqa: UP006
    return list(range(n))


def _tasks(n: int) -> None:
    for number in range(n):
        add(a=number, b=1).set_caching_options(False)


@dsl.pipeline
def chain() -> int:
    last = add(a=0, b=1).set_caching_options(False)
    for _ in range(99):
        last = add(a=last.output, b=1).set_caching_options(False)
    return last.output


@dsl.pipeline
def fan() -> None:
    _tasks(100)


@dsl.pipeline
def tasks_100() -> None:
    _tasks(100)


@dsl.pipeline
def tasks_300() -> None:
    _tasks(300)


@dsl.pipeline
def tasks_1000() -> None:
    _tasks(1000)


@dsl.pipeline
def loop(n: int = 100) -> None:
    found = numbers(n=n).set_caching_options(False)
    with dsl.ParallelFor(found.output) as item:
        add(a=item, b=1).set_caching_options(False)

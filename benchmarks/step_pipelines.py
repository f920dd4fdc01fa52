"""Pipelines of trivial steps: a chain and a fan."""

from kfp import dsl


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def add(a: int, b: int) -> int:
    return a + b


@dsl.pipeline
def chain() -> int:
    last = add(a=0, b=1).set_caching_options(False)
    for _ in range(99):
        last = add(a=last.output, b=1).set_caching_options(False)
    return last.output


@dsl.pipeline
def fan() -> None:
    for n in range(100):
        add(a=n, b=1).set_caching_options(False)

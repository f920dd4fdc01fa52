"""What follows from a task."""

import pytest
from kfp import compiler, dsl

from tidegate.graph.build import build
from tidegate.graph.following import following
from tidegate.spec import load


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def step(a: str = "") -> str:
    return a


@dsl.pipeline
def inner(a: str) -> str:
    return step(a=step(a=a).output).output


@dsl.pipeline(name="whole")
def whole():
    first = step()
    nested = inner(a=first.output)
    with dsl.ParallelFor(["x", "y"]) as item:
        one = step(a=item)
        step(a=one.output)
    step(a=nested.output)
    step().after(first)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("step", {"inner", "step-4", "step-5"}),
        ("step-4", set()),
        ("inner", {"step-4"}),
        ("inner/step", {"inner/step-2", "step-4"}),
        ("for-loop-2/1/step-2", {"for-loop-2/1/step-3"}),
        ("for-loop-2/1/step-3", set()),
        ("not-there/1", set()),
    ],
)
def test_what_follows(path: str, found: set[str], tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "whole.yaml"
    compiler.Compiler().compile(whole, str(file))
    assert following(build(load(file.read_text(), "whole")), path) == found

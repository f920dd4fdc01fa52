"""The components that cases are made of: each does something that an output shows."""

# ruff: noqa: UP006, UP035, UP045, B006, PTH123 - what kfp reads, and components that import what they need

from functools import partial
from typing import Dict, List, Optional

from kfp import dsl

IMAGE = "python:3.11"
component = partial(dsl.component, base_image=IMAGE, install_kfp_package=False)


@component
def add(a: int, b: int) -> int:
    return a + b


@component
def say(text: str) -> str:
    return text


@component
def fail(message: str = "on purpose") -> int:
    raise ValueError(message)


@component
def numbers(n: int) -> List[int]:
    return list(range(n))


@component
def total(values: List[int]) -> int:
    return sum(values)


@component
def write(text: str, data: dsl.Output[dsl.Dataset]):
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["length"] = len(text)


@component
def read(data: dsl.Input[dsl.Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


@component
def seen(
    whole: Optional[int] = None,
    real: Optional[float] = None,
    text: Optional[str] = None,
    yes: Optional[bool] = None,
    items: Optional[List] = None,
    struct: Optional[Dict] = None,
) -> str:
    """Its inputs, with their types."""
    return repr([whole, real, text, yes, items, struct])

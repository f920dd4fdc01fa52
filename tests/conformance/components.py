"""The components that cases are made of: each does something that an output shows."""

# ruff: noqa: UP006, UP035, UP045, PTH123 - what kfp reads, and components that import what they need

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
def joined(values: List[str]) -> str:
    return "+".join(values)


@component
def as_json(values: List) -> str:
    import json

    return json.dumps(values)


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
def read_all(data: dsl.Input[List[dsl.Dataset]]) -> str:
    return "+".join(open(each.path).read() for each in data)


@component
def seen(
    whole: Optional[int] = None,
    real: Optional[float] = None,
    text: Optional[str] = None,
    yes: Optional[bool] = None,
    items: Optional[List] = None,
    struct: Optional[Dict] = None,
) -> str:
    """Its inputs, as JSON: 3 and 3.0 and "3" are three things."""
    import json

    return json.dumps([whole, real, text, yes, items, struct], sort_keys=True)


@component
def status_of(status: dsl.PipelineTaskFinalStatus) -> str:
    return f"{status.pipeline_task_name} {status.state} {status.error_message or ''}".strip()


@component
def variable(name: str) -> str:
    import os

    return os.environ.get(name, "(none)")


@component
def unreliable() -> str:
    """Fails more often than not."""
    import random

    if random.SystemRandom().random() < 0.7:
        raise OSError("this time it fails")
    return "at last"


@component
def sleep(seconds: float) -> str:
    import time

    time.sleep(seconds)
    return "awake"

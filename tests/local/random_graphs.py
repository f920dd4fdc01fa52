"""Graphs of every construct, at random, for Hypothesis: leaves add up their inputs, so outputs are known."""

from __future__ import annotations

from hypothesis import strategies as st

from tidegate.graph.expressions import parse
from tidegate.graph.model import (
    Binding,
    Component,
    Constant,
    Dag,
    FinalStatus,
    FromInput,
    FromTask,
    Graph,
    Iteration,
    Parameter,
    Retry,
    Task,
)
from tidegate.graph.work import Container

NUMBER = Parameter("NUMBER_INTEGER")
OPTIONAL = Parameter("NUMBER_INTEGER", 0, True, True)
NUMBERS = Parameter("LIST", [], True, True)


def leaf(name: str, cores: float, *, optional: bool = False) -> Component:
    """Output = a + b + the sum of `many`; `flaky` in its name: fails the first time; `bad`: always."""
    kind = OPTIONAL if optional else NUMBER
    return Component(
        name,
        Container("python:3.11", ("run", name), (), cpu=cores),
        {"a": kind, "b": kind, "many": NUMBERS, "status": Parameter("TASK_FINAL_STATUS", optional=True)},
        output_parameters={"Output": "NUMBER_INTEGER"},
    )


@st.composite
def dags(draw: st.DrawFn, depth: int) -> Dag:
    """A DAG with the input `x` and the output `Output`."""
    tasks: dict[str, Task] = {}
    for position in range(draw(st.integers(1, 5))):
        name = f"{draw(st.sampled_from(_kinds(depth)))}-{position}"
        tasks[name] = draw(_task(name, tuple(tasks), tasks, depth))
    last = draw(st.sampled_from(sorted(tasks)))
    several = tuple(FromTask(name, "Output") for name in (last, next(iter(tasks))))
    return Dag(tasks, {"Output": several})


def _kinds(depth: int) -> list[str]:
    return ["leaf", "leaf", "flaky", "bad", "exit"] + (["inner", "if", "loop", "loop"] if depth else [])


@st.composite
def _task(draw: st.DrawFn, name: str, before: tuple[str, ...], tasks: dict[str, Task], depth: int) -> Task:
    kind = name.partition("-")[0]
    chosen = draw(st.lists(st.sampled_from(before), max_size=2, unique=True)) if before else []
    after = set(draw(st.lists(st.sampled_from(before), max_size=1))) if before else set()
    bindings = {"a": Binding(FromInput("x")), "b": Binding(Constant(draw(st.integers(0, 3))))}
    for slot, producer in zip(("a", "b"), chosen, strict=False):
        looped = tasks[producer].iteration is not None
        bindings["many" if looped else slot] = Binding(FromTask(producer, "Output"))
        after.add(producer)
    if kind in ("leaf", "flaky", "bad", "exit"):
        if kind == "exit" and before:
            bindings["status"] = Binding(FinalStatus(before[0]))
            after.add(before[0])
        return Task(
            name,
            leaf(name, draw(st.sampled_from([0.5, 1.0, 2.0])), optional=kind == "exit"),
            tuple(sorted(after)),
            bindings,
            even_after_failure=kind == "exit",
            retry=Retry(draw(st.integers(1 if kind == "flaky" else 0, 2)), backoff=draw(st.sampled_from([0.0, 5.0]))),
        )
    component = Component(name, draw(dags(depth - 1)), {"x": NUMBER}, output_parameters={"Output": "NUMBER_INTEGER"})
    if kind == "loop":
        items = draw(st.lists(st.integers(0, 3), max_size=4))
        iteration = Iteration("x", Constant(items), limit=draw(st.integers(0, 2)))
        return Task(name, component, tuple(sorted(after)), iteration=iteration)
    condition = parse(f"int(inputs.parameter_values['x']) >= {draw(st.integers(0, 3))}") if kind == "if" else None
    return Task(name, component, tuple(sorted(after)), {"x": Binding(Constant(draw(st.integers(0, 3))))}, {}, condition)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    body = draw(dags(draw(st.integers(0, 2))))
    return Graph("random", Component("random", body, {"x": NUMBER}, output_parameters={"Output": "NUMBER_INTEGER"}))

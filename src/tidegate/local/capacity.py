"""Cores and memory: what a task takes while it runs, and whether it fits. Never over-committed."""

from __future__ import annotations

from tidegate.graph.work import Container, Work
from tidegate.local.state import Capacity

_CORES = 1.0
"""Of a task that does not say."""
_ROUNDING = 1e-9


def refusal(work: Work, whole: Capacity) -> str:
    """Why the task can never run here; empty where it can."""
    executor = work.executor
    if not isinstance(executor, Container):
        return ""
    if executor.cpu > whole.cpu > 0:
        return (
            f"asks for {executor.cpu:g} cores, and there are {whole.cpu:g}: "
            "lower its set_cpu_limit, or raise [tool.tidegate.limits] cpu"
        )
    if executor.memory > whole.memory > 0:
        return (
            f"asks for {executor.memory / 2**20:,.0f} MiB of memory, and there are {whole.memory / 2**20:,.0f}: "
            "lower its set_memory_limit, or raise [tool.tidegate.limits] memory"
        )
    return ""


def without(free: Capacity, work: Work, whole: Capacity) -> Capacity | None:
    """What is free once the task runs; None where it does not fit now. `free.tasks` counts those that run."""
    cpu, memory = _share(work, whole)
    fits = cpu <= free.cpu + _ROUNDING and (memory <= free.memory or not whole.memory)
    if not fits or (whole.tasks and free.tasks >= whole.tasks):
        return None
    return Capacity(free.cpu - cpu, free.memory - memory, free.tasks + 1)


def returned(free: Capacity, work: Work, whole: Capacity) -> Capacity:
    """What is free once the task has ended. With nothing running all is free: no rounding is carried on."""
    if free.tasks == 1:
        return Capacity(whole.cpu, whole.memory, 0)
    cpu, memory = _share(work, whole)
    return Capacity(free.cpu + cpu, free.memory + memory, free.tasks - 1)


def _share(work: Work, whole: Capacity) -> tuple[float, int]:
    if isinstance(work.executor, Container):
        return min(work.executor.cpu or _CORES, whole.cpu), work.executor.memory
    return 0.0, 0

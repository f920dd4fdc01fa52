"""What a task costs the engine itself as pipelines grow: processor time and memory, of many tasks, of many iterations.

The marginal costs are compared, those of the last tasks with those of the first, so that starting up does not count.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass

from benchmarks.comparison import ROOT, Comparison, last_json, timed

SIZES = {"tasks": (100, 300, 1_000), "iterations": (100, 1_000, 10_000)}
AIM = 1.2
"""What a task among ten times as many may cost of what it cost before; what is above 1 is noise and deeper trees."""


@dataclass(frozen=True)
class Cost:
    """Of one run, of the engine's process alone: tasks run in workers, which are not its children."""

    tasks: int
    cpu: float
    """Seconds."""
    memory: int
    """Bytes, at its peak."""
    seconds: float
    """From the run's start to its end."""


def compare() -> list[Comparison]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, sizes in SIZES.items():
            costs = [_cost(kind, size, folder) for size in sizes]
            rows.append(_row(f"engine's cpu, 1,000 {kind}", costs, [cost.cpu for cost in costs]))
    return rows


def _row(name: str, costs: list[Cost], values: list[float]) -> Comparison:
    few, some, many = costs
    first = (values[1] - values[0]) / (some.tasks - few.tasks)
    last = (values[2] - values[1]) / (many.tasks - some.tasks)
    details = {
        f"{cost.tasks} tasks": {
            "cpu_ms_per_task": 1e3 * cost.cpu / cost.tasks,
            "ms_per_task": 1e3 * cost.seconds / cost.tasks,
            "peak_memory_mib": cost.memory / 2**20,
        }
        for cost in costs
    }
    details["memory_kib_per_task"] = (many.memory - few.memory) / (many.tasks - few.tasks) / 2**10
    return Comparison(f"{name} of {many.tasks:,}", f"itself, of {some.tasks:,}", 1e3 * first, 1e3 * last, AIM, details)


def _cost(kind: str, size: int, folder: str) -> Cost:
    pipelines = f"{ROOT}/benchmarks/step_pipelines.py"
    chosen = [f"{pipelines}:tasks_{size}"] if kind == "tasks" else [f"{pipelines}:loop", "-p", f"n={size}"]
    how = ["--output", "json", "--quiet", "--store", f"{folder}/store"]
    command = [f"{ROOT}/.venv/bin/tidegate", "run", *chosen, *how]
    timed([*command, "--dry-run"])  # compiles
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said)
        _, status, usage = os.wait4(process.pid, 0)
        said.seek(0)
        run = last_json(said.read())
    if status or run["state"] != "succeeded":
        raise SystemExit(f"{' '.join(command)}: {run['state']} {run['error']}")
    ran = sum(task["kind"] == "task" for task in run["tasks"].values())
    return Cost(ran, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, run["seconds"])

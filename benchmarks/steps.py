"""Overhead of a trivial step: 100 in a chain and 100 in a fan, beside kfp.local at its best, in turns."""

from __future__ import annotations

import statistics
import sys
import tempfile

from benchmarks.comparison import ROOT, Comparison, timed

ROUNDS, STEPS = 3, 100


def compare() -> list[Comparison]:
    """The median of each side: what else the machine does meets both."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in ("chain", "fan"):
            pipeline = f"{ROOT}/benchmarks/step_pipelines.py:{shape}"
            command = [f"{ROOT}/.venv/bin/tidegate", "run", pipeline, "--output", "json", "--store", f"{folder}/store"]
            timed(command)  # starts the worker, compiles
            rivals, ours = [], []
            for _ in range(ROUNDS):
                rivals.append(timed([sys.executable, "-m", "benchmarks.kfp_local_rival", shape, folder])[1]["seconds"])
                ours.append(timed(command)[1]["seconds"])
            rival, own = statistics.median(rivals), statistics.median(ours)
            details = {"rival_ms_per_step": 1e3 * rival / STEPS, "ms_per_step": 1e3 * own / STEPS, "aim_ms": 10}
            details |= {"rival_rounds": rivals, "rounds": ours}
            rows.append(Comparison(f"{shape} of {STEPS} steps", "kfp.local", rival, own, aim=0.1, details=details))
    return rows

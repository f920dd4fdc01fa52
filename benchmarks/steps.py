"""Overhead of a trivial step: 100 in a chain and 100 in a fan, beside kfp.local at its best."""

from __future__ import annotations

import sys
import tempfile

from benchmarks.comparison import ROOT, Comparison, timed


def compare() -> list[Comparison]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in ("chain", "fan"):
            _, rival = timed([sys.executable, "-m", "benchmarks.kfp_local_rival", shape, folder])
            pipeline = f"{ROOT}/benchmarks/step_pipelines.py:{shape}"
            command = [f"{ROOT}/.venv/bin/tidegate", "run", pipeline, "--output", "json", "--store", f"{folder}/store"]
            timed(command)  # starts the worker, compiles
            _, ours = timed(command)
            rows.append(Comparison(f"{shape} of 100 steps", "kfp.local", rival["seconds"], ours["seconds"], aim=0.1))
    return rows

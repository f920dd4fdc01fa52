"""The same data, user module and steps through TFX's LocalDagRunner and through tidegate, cold and warm."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psutil

from benchmarks.comparison import ROOT, Comparison, timed

COMPONENTS = ROOT / ".venvs/components/bin/python"
REQUIREMENTS = """
label: {label}
task: binary
metrics: [auc, binary_accuracy]
requirements: [{{metric: binary_accuracy, at_least: 0.01}}]
"""
TIDEGATE = str(ROOT / ".venv/bin/tidegate")


def penguins() -> list[Comparison]:
    module = ROOT / "pipelines/penguins/module.py"
    return _compare("penguins", ROOT / "pipelines/penguins/data", module, "species", {"epochs": 4})


def flights() -> list[Comparison]:
    """The whole year: 327,346 flights that arrived, joined with weather and planes, as CSV."""
    with tempfile.TemporaryDirectory() as folder:
        timed([str(COMPONENTS), str(ROOT / "benchmarks/flights_csv.py"), folder])
        module = ROOT / "pipelines/flights/module.py"
        return _compare("flights, whole year", Path(folder), module, "late", {"epochs": 1})


def stop_workers() -> None:
    """End the warm workers, so that the next run pays for its imports."""
    for process in psutil.process_iter(["cmdline"]):
        if "tidegate/local/daemon" in " ".join(process.info["cmdline"] or ()):
            process.kill()


def _compare(name: str, data: Path, module: Path, label: str, custom_config: dict[str, Any]) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        given = [str(data), str(module), label, f"{folder}/tfx", json.dumps(custom_config)]
        rival_command = [str(COMPONENTS), "benchmarks/tfx_rival.py", *given]
        rival_seconds, rival = timed(rival_command, TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3")
        runs = {}
        for temperature in ("cold", "warm"):
            if temperature == "cold":
                stop_workers()
            shutil.rmtree(f"{folder}/pushed", ignore_errors=True)
            seconds, result = timed(
                [
                    TIDEGATE, "run", "benchmarks/same_as_tfx.py", "--no-cache", "--output", "json",
                    "--store", f"{folder}/store", "-p", f"input_base={data}",
                    "-p", f"requirements={REQUIREMENTS.format(label=label)}", "-p", f"destination={folder}/pushed",
                    "-p", f"custom_config={json.dumps(custom_config)}",
                    "-p", f"module={json.dumps({module.name: module.read_text()})}",
                ]
            )  # fmt: skip
            steps = {path: task["seconds"] for path, task in result["tasks"].items()}
            runs[temperature] = (seconds, steps)
        return [
            Comparison(
                f"{name}, {temperature}", "TFX LocalDagRunner", rival_seconds, seconds, aim,
                {"rival": rival["steps"], "tidegate": steps},
            )
            for (temperature, (seconds, steps)), aim in zip(runs.items(), (0.5, 0.33), strict=True)
        ]  # fmt: skip

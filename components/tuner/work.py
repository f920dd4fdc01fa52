"""Searches hyperparameters: the user's TFX tuner_fn with Keras Tuner, or their objective_fn with Optuna."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError
from tidegate.components.modules import load_module

FILE = "best_hyperparameters.txt"
"""TFX's name; its content is what `keras_tuner.HyperParameters.from_config` reads."""


@dataclass(frozen=True, slots=True)
class Trial:
    number: int
    state: str
    """complete, pruned or failed."""
    value: float | None
    seconds: float
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found."""

    objective: str
    direction: str
    """minimize or maximize."""
    trials: tuple[Trial, ...]
    best: Mapping[str, Any]
    """The configuration of a keras_tuner.HyperParameters."""

    @property
    def best_value(self) -> float:
        values = [trial.value for trial in self.trials if trial.value is not None and trial.state == "complete"]
        return max(values) if self.direction == "maximize" else min(values)


def tune(
    *,
    examples: str | Path,
    module: Mapping[str, str],
    best_hyperparameters: str | Path,
    tuning: str | Path,
    schema: str | Path | None = None,
    transform_graph: str | Path | None = None,
    train_steps: int = 0,
    eval_steps: int = 0,
    custom_config: Mapping[str, Any] | None = None,
    trials: int = 10,
    parallel: int = 0,
    seed: int = 42,
) -> Search:
    """Search, and write the best hyperparameters and the table of trials.

    parallel: Optuna's trials at the same time; 0: one a core. Keras Tuner's run one after the other.
    Raises: ComponentError for a module with neither function, or a search in which no trial succeeded.
    """
    from tidegate.components.tfx_modules import lazily
    from tidegate.components.tfx_modules.autograph import leave_libraries_alone
    from tidegate.components.tfx_modules.fn_args import fn_args
    from tidegate.components.tfx_modules.keras_tuner import import_keras_tuner
    from tidegate.components.tuner import with_keras_tuner, with_optuna

    if trials < 1 or parallel < 0:
        raise ComponentError(f"trials is {trials} and parallel {parallel}; expected at least 1, and 0 or more")
    lazily.install()
    leave_libraries_alone()
    import_keras_tuner()
    user = load_module(module)
    with tempfile.TemporaryDirectory(prefix="tuner-") as working:
        given = fn_args(
            examples=examples,
            working_dir=working,
            schema=schema,
            transform_graph=transform_graph,
            train_steps=train_steps,
            eval_steps=eval_steps,
            custom_config=custom_config,
        )
        if callable(getattr(user, "tuner_fn", None)):
            found = with_keras_tuner.search(user.tuner_fn, given, seed)
        elif callable(getattr(user, "objective_fn", None)):
            direction = str(getattr(user, "DIRECTION", "maximize"))
            found = with_optuna.search(user.objective_fn, given, direction, trials, parallel, seed, Path(working))
        else:
            raise ComponentError(
                f"user module {next(iter(module))} defines neither tuner_fn(fn_args), as in TFX, nor "
                "objective_fn(trial, fn_args), for Optuna"
            )
    _write(found, Path(best_hyperparameters), Path(tuning))
    print(f"best of {len(found.trials)} trials: {found.objective} {found.best_value:.5g}")
    return found


def _write(found: Search, best: Path, tuning: Path) -> None:
    best.mkdir(parents=True, exist_ok=True)
    (best / FILE).write_text(json.dumps(found.best, sort_keys=True), encoding="utf-8")
    tuning.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "number": trial.number,
            "state": trial.state,
            "value": trial.value if trial.value is not None and math.isfinite(trial.value) else None,
            "seconds": round(trial.seconds, 2),
            "parameters": dict(trial.parameters),
        }
        for trial in found.trials
    ]
    summary = {"objective": found.objective, "direction": found.direction, "trials": rows}
    (tuning / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")

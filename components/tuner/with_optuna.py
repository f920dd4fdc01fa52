"""objective_fn(trial, fn_args) with Optuna: TPE, bad trials stopped early, trials side by side in processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tidegate.components import progress
from tidegate.components.errors import ComponentError
from tidegate.components.tuner.work import Search, Trial

_STUDY = "tuner"
Objective = Callable[[Any, Any], float]


def search(
    objective: Objective, fn_args: Any, direction: str, trials: int, parallel: int, seed: int, folder: Path
) -> Search:
    """Run `trials` trials. With parallel=1 the same seed gives the same trials; side by side, those that end first
    inform the next, and that order is the machine's.

    Raises: ComponentError where DIRECTION is not one, or no trial succeeded.
    """
    import optuna

    if direction not in ("maximize", "minimize"):
        raise ComponentError(f"DIRECTION is {direction!r}; expected 'maximize' or 'minimize'")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    workers = min(parallel or len(os.sched_getaffinity(0)), trials)
    journal = str(folder / "trials.log")
    _study(journal, direction, seed)
    if workers == 1:
        _work(objective, fn_args, direction, trials, seed, journal)
    else:
        fork = multiprocessing.get_context("fork")
        shares = [trials // workers + (number < trials % workers) for number in range(workers)]
        processes = [
            fork.Process(target=_work, args=(objective, fn_args, direction, share, seed + number, journal), daemon=True)
            for number, share in enumerate(shares)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    study = _study(journal, direction, seed)
    ended = tuple(_trial(each) for each in study.get_trials(deepcopy=False))
    complete = [each for each in ended if each.state == "complete"]
    if not complete:
        raise ComponentError(f"none of {len(ended)} trials succeeded: see the log for their errors")
    return Search("objective", direction, ended, _hyperparameters(study.best_params))


def _study(journal: str, direction: str, seed: int) -> Any:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    return optuna.create_study(
        study_name=_STUDY,
        storage=optuna.storages.JournalStorage(JournalFileBackend(journal)),
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
        direction=direction,
        load_if_exists=True,
    )


def _work(objective: Objective, fn_args: Any, direction: str, trials: int, seed: int, journal: str) -> None:
    import tensorflow as tf

    def seeded(trial: Any) -> float:
        tf.keras.utils.set_random_seed(seed + trial.number)
        return float(objective(trial, fn_args))

    def told(study: Any, trial: Any) -> None:
        progress.report(f"trial {trial.number + 1}: {trial.state.name.lower()} {trial.value}", trial.number + 1)
        print(f"trial {trial.number + 1}: {trial.state.name.lower()}, value {trial.value}, {trial.params}", flush=True)

    study = _study(journal, direction, seed)
    study.optimize(seeded, n_trials=trials, callbacks=[told], catch=(Exception,))


def _trial(trial: Any) -> Trial:
    state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    return Trial(trial.number, state, trial.value, seconds, dict(trial.params))


def _hyperparameters(best: dict[str, Any]) -> dict[str, Any]:
    """As a keras_tuner.HyperParameters, so that run_fn reads one format whoever searched."""
    import keras_tuner

    found = keras_tuner.HyperParameters()
    for name, value in sorted(best.items()):
        found.Fixed(name, value)
    config: dict[str, Any] = found.get_config()
    return config

"""TFX's contract: tuner_fn(fn_args) returns a Keras Tuner and what its search is to be called with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tidegate.components import progress
from tidegate.components.errors import ComponentError
from tidegate.components.tuner.work import Search, Trial


def search(tuner_fn: Callable[[Any], Any], fn_args: Any, seed: int) -> Search:
    """Run the search that the user's tuner_fn sets up. Raises: ComponentError."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    made = tuner_fn(fn_args)
    tuner, options = getattr(made, "tuner", None), dict(getattr(made, "fit_kwargs", None) or {})
    if tuner is None or not hasattr(tuner, "search"):
        raise ComponentError(
            f"tuner_fn returned {type(made).__name__}; expected TunerFnResult(tuner=..., fit_kwargs=...), as in TFX"
        )
    seconds: dict[str, float] = {}
    run_trial, oracle = tuner.run_trial, tuner.oracle
    most = getattr(oracle, "max_trials", None)

    def timed(trial: Any, *arguments: Any, **given: Any) -> Any:
        progress.report(f"trial {len(seconds) + 1}" + (f"/{most}" if most else ""), len(seconds), most)
        began = time.monotonic()
        try:
            return run_trial(trial, *arguments, **given)
        finally:
            seconds[trial.trial_id] = time.monotonic() - began

    tuner.run_trial = timed
    tuner.search(verbose=0, **{name: value for name, value in options.items() if name != "verbose"})
    ended = [_trial(n, each, seconds) for n, each in enumerate(oracle.trials.values())]
    best = tuner.get_best_hyperparameters(1)
    if not best or not any(trial.state == "complete" for trial in ended):
        raise ComponentError(f"none of {len(ended)} trials succeeded: see the log for their errors")
    direction = "maximize" if oracle.objective.direction == "max" else "minimize"
    return Search(oracle.objective.name, direction, tuple(ended), best[0].get_config())


def _trial(number: int, trial: Any, seconds: dict[str, float]) -> Trial:
    state = {"COMPLETED": "complete"}.get(str(trial.status), "failed")
    values = {k: v for k, v in trial.hyperparameters.values.items() if not k.startswith("tuner/")}
    return Trial(number, state, trial.score, seconds.get(trial.trial_id, 0.0), values)

"""Runs the user's run_fn as TFX would, watches it, and checks what it saved."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError
from tidegate.components.modules import function_of, load_module


def train(
    *,
    examples: str | Path,
    module: Mapping[str, str],
    model: str | Path,
    model_run: str | Path,
    schema: str | Path | None = None,
    transform_graph: str | Path | None = None,
    hyperparameters: str | Path | None = None,
    base_model: str | Path | None = None,
    raw_examples: str | Path | None = None,
    train_steps: int = 0,
    eval_steps: int = 0,
    custom_config: Mapping[str, Any] | None = None,
    seed: int = 42,
    sample_requests: int = 32,
) -> dict[str, Any]:
    """Train. Returns: what to say of the model (signature, parameters, last metrics, CPU seconds).

    Raises: ComponentError for what the user can mend; whatever run_fn raises.
    """
    from tidegate.components.fn_args import call, fn_args
    from tidegate.components.legacy_keras import keep_out_autograph
    from tidegate.components.trainer.samples import write_samples
    from tidegate.components.trainer.watching import watching

    keep_out_autograph()
    set_seeds(seed)
    run_fn = function_of(load_module(module), "run_fn")
    Path(model_run).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="trainer-") as working, watching(model_run):
        given = fn_args(
            examples=examples,
            working_dir=working,
            schema=schema,
            transform_graph=transform_graph,
            hyperparameters=hyperparameters,
            base_model=base_model,
            model=model,
            model_run=model_run,
            train_steps=train_steps,
            eval_steps=eval_steps,
            custom_config=custom_config,
        )
        print(f"run_fn of {next(iter(module))}: train {given.train_files}, eval {given.eval_files}")
        call(run_fn, given)
    said = write_samples(Path(model), raw_examples or examples, sample_requests)
    times = os.times()
    return said | _size(Path(model)) | {"seed": seed, "cpu_seconds": round(times.user + times.system, 2)}


def set_seeds(seed: int) -> None:
    """Python's, numpy's and TensorFlow's generators; the same seed and inputs give the same model on one machine."""
    import tensorflow as tf

    if not 0 <= seed < 2**32:
        raise ComponentError(f"seed is {seed}; expected 0 to {2**32 - 1}")
    random.seed(seed)
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _size(model: Path) -> dict[str, Any]:
    files = [path for path in (model / "Format-Serving").rglob("*") if path.is_file()]
    return {"bytes": sum(path.stat().st_size for path in files)}

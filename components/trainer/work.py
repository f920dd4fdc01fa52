"""What trainer does: run the user's run_fn with TFX's FnArgs, watch it, check what it made."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tidegate.components.modules import function_of, load_module
from tidegate.components.tfx_modules import lazily
from tidegate.components.tfx_modules.autograph import leave_libraries_alone
from tidegate.components.tfx_modules.fn_args import fn_args
from tidegate.components.trainer import samples
from tidegate.components.trainer.keras_hooks import History, watching


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it; the files are in the folders that were given."""

    signatures: Mapping[str, Any]
    parameters: int
    metrics: Mapping[str, float]
    """Of the last epoch."""
    epochs: int
    samples: int
    cpu_seconds: float


def train(
    examples: str | Path,
    module: Mapping[str, str],
    model: str | Path,
    model_run: str | Path,
    schema: str | Path | None = None,
    transform_graph: str | Path | None = None,
    hyperparameters: str | Path | None = None,
    base_model: str | Path | None = None,
    raw_examples: str | Path | None = None,
    train_splits: Sequence[str] = ("train",),
    eval_splits: Sequence[str] = ("eval",),
    train_steps: int = 0,
    eval_steps: int = 0,
    custom_config: Mapping[str, Any] | None = None,
    seed: int = 42,
    sample_requests: int = 32,
) -> Trained:
    """Train by the module's `run_fn(fn_args)`; the Model has Format-Serving/ and Samples/.

    Raises: ComponentError for inputs that cannot be used, a loss that is NaN, a run_fn that saves no model or one that
    cannot be served; what the module itself raises.
    """
    lazily.install()
    leave_libraries_alone()
    started = time.process_time()
    with tempfile.TemporaryDirectory(prefix="trainer-") as folder:
        args = fn_args(
            examples=examples,
            train_splits=train_splits,
            eval_splits=eval_splits,
            schema=schema,
            transform_graph=transform_graph,
            hyperparameters=hyperparameters,
            base_model=base_model,
            model=model,
            model_run=model_run,
            train_steps=train_steps,
            eval_steps=eval_steps,
            custom_config=custom_config,
            working_dir=folder,
        )
        if args.base_model:
            print(f"warm start: fn_args.base_model is {args.base_model}")
        set_seeds(seed)
        run_fn = function_of(load_module(module, _made(Path(folder) / "module")), "run_fn")
        history = History(Path(model_run))
        with watching(history):
            run_fn(args)
    served = samples.load(Path(args.serving_model_dir))
    count = (
        samples.write(served, raw_examples or examples, Path(model) / "Samples", sample_requests)
        if sample_requests
        else 0
    )
    if not history.epochs:
        print("run_fn called no Model.fit of Keras: history.json has no epochs")
    spent = time.process_time() - started
    metrics = history.final()
    shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    print(f"trained {len(history.epochs)} epochs, {served.parameters} parameters{': ' if shown else ''}{shown}")
    return Trained(served.signatures, served.parameters, metrics, len(history.epochs), count, round(spent, 2))


def set_seeds(seed: int) -> None:
    """Of Python, NumPy and TensorFlow (Keras takes TensorFlow's)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    tf.random.set_seed(seed)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder

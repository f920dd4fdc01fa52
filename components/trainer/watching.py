"""Watches whatever Keras model the user's run_fn fits: progress, training curves, NaN losses."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidegate.components import progress
from tidegate.components.errors import ComponentError


@contextmanager
def watching(model_run: str | Path) -> Iterator[None]:
    """Every `fit` inside writes `history.json` and TensorBoard logs into model_run (the latter unless the user does).

    Raises: ComponentError where a loss is NaN or infinite, naming epoch and batch.
    """
    import tensorflow as tf

    history = History(Path(model_run) / "history.json")
    fit = tf.keras.Model.fit

    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        callbacks = list(options.pop("callbacks", None) or [])
        if not any(isinstance(each, tf.keras.callbacks.TensorBoard) for each in callbacks):
            callbacks.append(tf.keras.callbacks.TensorBoard(str(model_run), write_graph=False))
        epochs = int(options.get("epochs", 1))
        return fit(self, *arguments, callbacks=[*callbacks, _callback(history, epochs)], **options)

    tf.keras.Model.fit = watched
    try:
        yield
    finally:
        tf.keras.Model.fit = fit
        history.write()


class History:
    """Epochs of all fits, in order, numbered on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.epochs: list[dict[str, Any]] = []

    def add(self, seconds: float, metrics: dict[str, Any]) -> None:
        values = {name: _finite(value) for name, value in metrics.items()}
        self.epochs.append({"epoch": len(self.epochs) + 1, "seconds": round(seconds, 3)} | values)

    def write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps({"epochs": self.epochs}, indent=1), encoding="utf-8")


def _callback(history: History, epochs: int) -> Any:
    import tensorflow as tf

    class Watcher(tf.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.began = time.monotonic()
            self.epoch = epoch + 1
            progress.report(f"epoch {epoch + 1}/{epochs}", epoch, epochs)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            loss = (logs or {}).get("loss")
            if loss is not None and not math.isfinite(loss):
                raise ComponentError(
                    f"the loss is {loss} in epoch {self.epoch}, batch {batch + 1}: look for missing values that reach "
                    "the model, labels out of range, or a learning rate that is too high"
                )

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            history.add(time.monotonic() - self.began, dict(logs or {}))
            said = ", ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
            progress.report(f"epoch {epoch + 1}/{epochs}, {said}", epoch + 1, epochs)

    return Watcher()


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None

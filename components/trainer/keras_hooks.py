"""Watches `Model.fit` in a run_fn that is not ours: progress, history, TensorBoard logs, an end to training on NaN."""

from __future__ import annotations

import inspect
import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tidegate.components.errors import ComponentError
from tidegate.components.progress import report

KERAS = ("tf_keras", "keras")
"""Keras 2 (what tf.keras is with TF_USE_LEGACY_KERAS=1) and Keras 3: a module may use either."""
_LOOKS = 1.0  # seconds between two looks at the loss within an epoch


class History:
    """One row an epoch, over all calls of fit; history.json is written anew after each."""

    def __init__(self, model_run: Path) -> None:
        self.folder, self.epochs = model_run, list[dict[str, Any]]()
        self.fits = 0

    def add(self, seconds: float, logs: dict[str, float]) -> None:
        row: dict[str, Any] = {"epoch": len(self.epochs) + 1, "fit": self.fits, "seconds": round(seconds, 3)}
        self.epochs.append(row | {k: v if math.isfinite(v) else None for k, v in logs.items()})
        self.write()

    def write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"epochs": self.epochs}, indent=1)
        (self.folder / "history.json").write_text(text, encoding="utf-8")

    def final(self) -> dict[str, float]:
        """The last epoch's metrics."""
        last = self.epochs[-1] if self.epochs else {}
        return {k: v for k, v in last.items() if k not in ("epoch", "fit", "seconds") and v is not None}


@contextmanager
def watching(history: History) -> Iterator[None]:
    """Within it, every `fit` of either Keras has our callback, and TensorBoard's where the user gave none."""
    with ExitStack() as stack:
        for name in KERAS:
            keras = sys.modules.get(name)
            if keras is not None and hasattr(keras, "Model"):
                stack.enter_context(patch.object(keras.Model, "fit", _fit(keras, keras.Model.fit, history)))
        history.write()
        yield


def _fit(keras: Any, original: Any, history: History) -> Any:
    signature = inspect.signature(original)

    def fit(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        given = signature.bind(*args, **kwargs)
        callbacks = given.arguments.get("callbacks")
        listed = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []
        if not any(isinstance(one, keras.callbacks.CallbackList) for one in listed):
            if not any(isinstance(one, keras.callbacks.TensorBoard) for one in listed):
                log = str(history.folder / "logs")
                listed.append(keras.callbacks.TensorBoard(log_dir=log, write_graph=False, profile_batch=0))
            given.arguments["callbacks"] = [*listed, _watcher(keras, history)]
        given.arguments.setdefault("verbose", 2)
        history.fits += 1
        return original(*given.args, **given.kwargs)

    return fit


def _watcher(keras: Any, history: History) -> Any:
    class Watcher(keras.callbacks.Callback):  # type: ignore[misc]
        _supports_tf_logs = True  # else Keras fetches the metrics of every batch

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = self.looked = time.monotonic()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            now = time.monotonic()
            if now - self.looked < _LOOKS:
                return
            self.looked = now
            loss = float((logs or {}).get("loss", 0.0))
            _refuse_nan(loss, len(history.epochs) + 1, f", batch {batch + 1}")
            done, steps = len(history.epochs), self.params.get("steps")
            within = (batch + 1) / steps if steps else 0
            epochs = self.params.get("epochs") or 0
            said = f"epoch {done + 1}/{epochs}, batch {batch + 1}" + (f"/{steps}" if steps else "")
            report(f"{said}, loss {loss:.4g}", done + within, epochs)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            numbers = {name: _number(value) for name, value in (logs or {}).items()}
            history.add(time.monotonic() - self.started, {k: v for k, v in numbers.items() if v is not None})
            if numbers.get("loss") is not None:
                _refuse_nan(numbers["loss"], epoch + 1, "")
            shown = ", ".join(f"{k} {v:.4g}" for k, v in numbers.items() if v is not None)
            report(f"epoch {epoch + 1}/{self.params['epochs']}: {shown}", epoch + 1, self.params["epochs"])

    return Watcher()


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _refuse_nan(loss: float | None, epoch: int, where: str) -> None:
    if loss is None or not math.isnan(loss):
        return
    raise ComponentError(
        f"the loss is NaN in epoch {epoch}{where}. Look for: features that are not finite or far from 0 to 1 (the "
        "post-transform statistics show min, max and mean), log or division of 0 in the model or preprocessing_fn, "
        "a learning rate that is too high; clipnorm=1.0 in the optimizer often helps to find out"
    )

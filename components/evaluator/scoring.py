"""Runs a SavedModel's `serving_default` on serialised tf.Examples, and times it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate.components.errors import ComponentError
from tidegate.components.evaluator.yaml_reader import near

RUNS = 400
"""Calls timed: a bound on the 99th percentile at 95 % needs 368."""


def saved_model(folder: str | Path) -> Path | None:
    """Where the SavedModel of a Model artifact is; None where the artifact is empty (no model was found)."""
    root = Path(folder)
    for place in (root / "Format-Serving", root):
        if (place / "saved_model.pb").is_file():
            return place
    if not root.exists() or not any(root.iterdir()):
        return None
    raise ComponentError(f"{root} has no Format-Serving/saved_model.pb: expected a model that trainer made")


class Scorer:
    """One loaded model. Raises: ComponentError where its signature does not take serialised examples."""

    def __init__(self, folder: Path, name: str, output: str = "") -> None:
        import tensorflow as tf

        try:
            self._model = tf.saved_model.load(str(folder))
        except (OSError, tf.errors.OpError) as error:
            raise ComponentError(f"the {name} model at {folder} cannot be loaded: {error}") from None
        signatures = dict(self._model.signatures)
        if "serving_default" not in signatures:
            raise ComponentError(f"the {name} model has no signature serving_default; it has: {sorted(signatures)}")
        self._call = signatures["serving_default"]
        inputs = self._call.structured_input_signature[1]
        if len(inputs) != 1 or next(iter(inputs.values())).dtype != tf.string:
            takes = ", ".join(f"{n}: {s.dtype.name}" for n, s in inputs.items())
            raise ComponentError(f"the {name} model's serving_default takes ({takes}); expected serialised tf.Examples")
        self.name = name
        self._input = next(iter(inputs))
        self._output = self._choose(output)

    def _choose(self, output: str) -> str:
        outputs = sorted(self._call.structured_outputs)
        if output:
            if output not in outputs:
                raise ComponentError(f"the {self.name} model has no output {output!r}{near(output, outputs)}")
            return output
        if len(outputs) > 1:
            raise ComponentError(
                f"the {self.name} model has outputs {outputs}: name one as `prediction` in requirements"
            )
        return outputs[0]

    def predict(self, batch: NDArray[Any]) -> NDArray[Any]:
        """(n,) of bytes -> the output's (n, ...)."""
        import tensorflow as tf

        result = self._call(**{self._input: tf.constant(batch)})[self._output]
        return np.asarray(result.numpy())

    def latencies(self, examples: NDArray[Any], runs: int = RUNS) -> NDArray[np.float64]:
        """Milliseconds of single-example calls, after a warm-up."""
        import tensorflow as tf

        inputs = [tf.constant(examples[i : i + 1]) for i in range(min(len(examples), runs))]
        for one in inputs[:20]:
            self._call(**{self._input: one})
        taken = np.empty(runs)
        for i in range(runs):
            start = time.perf_counter()
            self._call(**{self._input: inputs[i % len(inputs)]})[self._output].numpy()
            taken[i] = (time.perf_counter() - start) * 1000
        return taken

"""The flights model for seldon-core-microservice: its class, as its users write it. Runs in the rival's environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import tensorflow as tf


class seldon_model:  # noqa: N801 - Seldon's wrapper wants the module's name
    """`jsonData` with names and rows of raw features -> probabilities. (`ndarray` would make text of every number.)"""

    def load(self) -> None:
        """In gunicorn's worker: what TensorFlow loads before the fork hangs after it."""
        self._model = tf.saved_model.load(str(Path(os.environ["FLIGHTS_MODEL"]) / "Format-Serving"))
        self._call = self._model.signatures["serving_default"]

    def predict(self, X: Any, names: Any = None, meta: Any = None) -> Any:  # noqa: N803, ARG002 - Seldon's names
        examples = []
        for row in X["rows"]:
            example = tf.train.Example()
            for name, value in zip(X["names"], row, strict=True):
                feature = example.features.feature[name]
                if isinstance(value, str):
                    feature.bytes_list.value.append(value.encode())
                elif isinstance(value, int):
                    feature.int64_list.value.append(value)
                else:
                    feature.float_list.value.append(float(value))
            examples.append(example.SerializeToString())
        return {"probability": self._call(examples=tf.constant(examples))["probability"].numpy().ravel().tolist()}

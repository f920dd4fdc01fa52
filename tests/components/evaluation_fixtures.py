"""Small Examples artifacts and SavedModels whose right answers are known, for the tests of evaluator and pusher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

Rows = Mapping[str, Sequence[Any]]


def serialised(rows: Rows) -> list[bytes]:
    """Column-wise rows as tf.Examples; None leaves the feature out."""
    count = len(next(iter(rows.values())))
    found = []
    for i in range(count):
        example = tf.train.Example()
        for name, column in rows.items():
            value = column[i]
            if value is None:
                continue
            feature = example.features.feature[name]
            if isinstance(value, str | bytes):
                feature.bytes_list.value.append(tf.compat.as_bytes(value))
            elif isinstance(value, float | np.floating):
                feature.float_list.value.append(value)
            else:
                feature.int64_list.value.append(int(value))
        found.append(example.SerializeToString(deterministic=True))
    return found


def write_examples(folder: Path, **splits: Rows) -> Path:
    """An Examples artifact: `write_examples(path, train=rows, eval=rows)`."""
    for name, rows in splits.items():
        target = folder / f"Split-{name}"
        target.mkdir(parents=True, exist_ok=True)
        path = str(target / "data_tfrecord-00000-of-00001.gz")
        with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as out:
            for one in serialised(rows):
                out.write(one)
    return folder


class _Linear(tf.Module):
    """link(features @ weights): what a trained model looks like from the outside."""

    def __init__(self, features: Sequence[str], weights: Any, link: str) -> None:
        super().__init__()
        self._features = list(features)
        self._weights = tf.Variable(np.asarray(weights, np.float32).reshape(len(features), -1))
        self._link = {"sigmoid": tf.sigmoid, "softmax": tf.nn.softmax, "identity": tf.identity}[link]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {f: tf.io.FixedLenFeature([], tf.float32) for f in self._features}
        parsed = tf.io.parse_example(examples, spec)
        inputs = tf.stack([parsed[f] for f in self._features], axis=1)
        return {"outputs": self._link(tf.matmul(inputs, self._weights))}


def write_model(folder: Path, features: Sequence[str], weights: Any, link: str = "sigmoid") -> Path:
    """A Model artifact."""
    module = _Linear(features, weights, link)
    tf.saved_model.save(module, str(folder / "Format-Serving"), signatures={"serving_default": module.serve})
    return folder


def flights(count: int, seed: int = 0) -> dict[str, Any]:
    """Rows with a binary label `late` whose log-odds are x + 0.5 (origin is JFK) - 1."""
    generator = np.random.default_rng(seed)
    origin = generator.choice(["JFK", "LGA", "EWR"], count)
    carrier = generator.choice(["UA", "AA", "B6", "DL"], count)
    x, noise = generator.normal(size=(2, count))
    odds = x + 0.5 * (origin == "JFK") - 1.0
    late = (generator.random(count) < 1 / (1 + np.exp(-odds))).astype(int)
    return {
        "x": x.astype(np.float32),
        "noise": noise.astype(np.float32),
        "one": np.ones(count, np.float32),
        "hour": generator.integers(5, 23, count),
        "origin": origin.tolist(),
        "carrier": carrier.tolist(),
        "late": late,
        "delay": (10 * odds + 5 * noise).astype(np.float32),
        "grade": (odds > -1).astype(int) + (odds > 0).astype(int),
    }

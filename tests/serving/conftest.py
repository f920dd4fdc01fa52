"""A small SavedModel with the samples that trainer keeps, made once."""

from __future__ import annotations

import base64
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlserver  # noqa: F401
    import tensorflow as tf


Row = tuple[float, str, int | None]


class Flights(tf.Module):
    """probability = sigmoid(weight * distance + one if the carrier is UA)"""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = tf.Variable(weight)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(
            examples,
            {
                "distance": tf.io.FixedLenFeature([], tf.float32),
                "carrier": tf.io.FixedLenFeature([], tf.string),
                "hour": tf.io.FixedLenFeature([], tf.int64, default_value=12),
            },
        )
        known = tf.cast(parsed["carrier"] == b"UA", tf.float32) + tf.cast(parsed["hour"], tf.float32) / 24.0
        return {
            "probability": tf.sigmoid(self.weight * parsed["distance"] + known)[:, None],
            "carrier": parsed["carrier"],
        }


def example(distance: float, carrier: str, hour: int | None = None) -> bytes:
    made = tf.train.Example()
    made.features.feature["distance"].float_list.value.append(distance)
    made.features.feature["carrier"].bytes_list.value.append(carrier.encode())
    if hour is not None:
        made.features.feature["hour"].int64_list.value.append(hour)
    return made.SerializeToString(deterministic=True)


def write_samples(model: Path, rows: list[Row], outputs: dict[str, Any]) -> None:
    folder = model / "Samples"
    folder.mkdir(exist_ok=True)
    requests = {"examples_base64": [base64.b64encode(example(*r)).decode() for r in rows], "rows": []}
    (folder / "requests.json").write_text(json.dumps(requests))
    (folder / "predictions.json").write_text(json.dumps({"outputs": outputs}))


ROWS: list[Row] = [(float(i), "UA" if i % 2 else "AA", i if i % 3 else None) for i in range(8)]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model artifact whose samples are right."""
    folder = tmp_path_factory.mktemp("model")
    module = Flights(-0.25)
    tf.saved_model.save(module, str(folder / "Format-Serving"), signatures={"serving_default": module.serve})
    answers = module.serve(tf.constant([example(*r) for r in ROWS]))
    carriers = [c.decode() for c in answers["carrier"].numpy()]
    write_samples(folder, ROWS, {"probability": np.asarray(answers["probability"]).tolist(), "carrier": carriers})
    return folder

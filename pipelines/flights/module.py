"""Will the flight arrive more than 15 minutes late? preprocessing_fn and run_fn, as TFX wants them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow import keras
from tfx import v1 as tfx
from tfx_bsl.public import tfxio

LABEL = "late"
NUMBERS = [
    "distance", "departures", "temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib",
    "built", "seats",
]  # fmt: skip
BUCKETS = 16
WORDS = ["carrier", "origin", "dest"]
CLOCKS = {"departure": 96, "arrival": 48, "weekday": 7}
"""Quarters of an hour of the scheduled departure, half hours of the arrival, days: how many of each there are."""


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Raw flights -> small whole numbers, which the network looks up: quantiles of numbers, words, times of day.

    Quantiles, because months to come are warmer or colder than those learned from. Missing weather and aeroplanes
    count as the mean.
    """
    outputs = {}
    for name in NUMBERS:
        outputs[name] = tft.bucketize(_filled(inputs[name]), BUCKETS)
    for name in WORDS:
        words = _dense(inputs[name], "")
        outputs[name] = tft.compute_and_apply_vocabulary(words, num_oov_buckets=1, vocab_filename=name)
    clock = _dense(inputs["sched_arr_time"], 0)
    times = {
        "departure": _dense(inputs["hour"], 0) * 4 + _dense(inputs["minute"], 0) // 15,
        "arrival": clock // 100 * 2 + clock % 100 // 30,
        "weekday": _dense(inputs["weekday"], 0),
    }
    for name, count in CLOCKS.items():
        outputs[name] = tf.clip_by_value(times[name], 0, count - 1)
    outputs[LABEL] = _dense(inputs[LABEL], 0)
    return outputs


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Train and save with a signature that takes raw, serialised examples."""
    settings = fn_args.custom_config or {}
    transform = tft.TFTransformOutput(fn_args.transform_output)
    batch = int(settings.get("batch_size", 512))
    train = _batches(fn_args.train_files, fn_args.data_accessor, transform, batch, shuffle=True)
    evaluation = _batches(fn_args.eval_files, fn_args.data_accessor, transform, batch, shuffle=False)
    model = _model(transform, float(settings.get("learning_rate", 1e-3)), int(settings.get("units", 64)))
    model.fit(train, validation_data=evaluation, epochs=int(settings.get("epochs", 3)), verbose=2)
    model.transform = transform.transform_features_layer()
    serving = {"serving_default": _serving(model, transform)}
    model.save(fn_args.serving_model_dir, save_format="tf", include_optimizer=False, signatures=serving)


def _model(transform: tft.TFTransformOutput, learning_rate: float, units: int) -> keras.Model:
    sizes = dict.fromkeys(NUMBERS, BUCKETS) | CLOCKS
    sizes |= {name: transform.vocabulary_size_by_name(name) + 1 for name in WORDS}
    inputs = {name: keras.Input((1,), name=name, dtype=tf.int64) for name in sorted(sizes)}
    looked_up = [keras.layers.Flatten()(keras.layers.Embedding(sizes[name], 4)(inputs[name])) for name in inputs]
    hidden = keras.layers.concatenate(looked_up)
    for width in (units, units // 2):
        hidden = keras.layers.Dropout(0.3)(keras.layers.Dense(width, activation="relu")(hidden))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="probability")(hidden))
    optimizer = keras.optimizers.legacy.Adam(learning_rate)
    model.compile(optimizer, "binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    return model


def _serving(model: keras.Model, transform: tft.TFTransformOutput) -> Any:
    specification = transform.raw_feature_spec()
    specification.pop(LABEL)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = model.transform(tf.io.parse_example(examples, specification))
        return {"probability": model({name: features[name] for name in model.input_names})}

    return serve


def _batches(files: Any, accessor: Any, transform: tft.TFTransformOutput, batch: int, shuffle: bool) -> tf.data.Dataset:
    """Kept in memory after the first epoch; flights come in the order of their days, hence the large buffer."""
    options = tfxio.TensorFlowDatasetOptions(
        batch_size=batch, label_key=LABEL, num_epochs=1, shuffle=shuffle, shuffle_buffer_size=100_000, shuffle_seed=1
    )
    batches = accessor.tf_dataset_factory(files, options, transform.transformed_metadata.schema).cache()
    return (batches.shuffle(1000, seed=2) if shuffle else batches).prefetch(2)


def _dense(feature: Any, default: Any) -> tf.Tensor:
    """(batch, 1), the default where the example has no value."""
    if isinstance(feature, tf.SparseTensor):
        filled = tf.sparse.SparseTensor(feature.indices, feature.values, [feature.dense_shape[0], 1])
        return tf.reshape(tf.sparse.to_dense(filled, default_value=tf.constant(default, feature.dtype)), [-1, 1])
    return feature


def _filled(feature: Any) -> tf.Tensor:
    """(batch, 1) floats, the mean of the values there are where an example has none."""
    if not isinstance(feature, tf.SparseTensor):
        return tf.cast(feature, tf.float32)
    mean = tft.mean(tf.cast(feature.values, tf.float32))
    there = tf.SparseTensor(feature.indices, tf.ones_like(feature.values, tf.int32), feature.dense_shape)
    return tf.where(_dense(there, 0) > 0, tf.cast(_dense(feature, 0), tf.float32), mean)

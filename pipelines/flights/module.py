"""Will the flight arrive more than 15 minutes late? preprocessing_fn and run_fn, as TFX wants them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow import keras
from tfx import v1 as tfx
from tfx_bsl.public import tfxio

LABEL = "late"
NUMBERS = ["distance", "departures", "temp", "dewp", "humid", "wind_speed", "pressure", "visib", "built", "seats"]
LOGARITHMS = ["precip"]
CYCLES = {"clock": 24.0, "wind_dir": 360.0, "arrival": 24.0}
WORDS = {"carrier": 8, "origin": 2, "dest": 8}
"""Category -> dimensions of its embedding."""
HOURS, WEEKDAYS = 24, 7


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Raw flights -> what the network reads; missing weather and aeroplanes become the mean, and say so."""
    outputs = {}
    for name in NUMBERS:
        value, missing = _filled(inputs[name])
        scaled = tft.scale_to_z_score(tf.where(missing, tft.mean(_present(inputs[name])), value))
        outputs[name] = scaled
    for name in LOGARITHMS:
        value, _ = _filled(inputs[name])
        outputs[name] = tf.math.log1p(10.0 * value)
    outputs["no_plane"] = tf.cast(_filled(inputs["built"])[1], tf.float32)
    hour, minute = _number(inputs["hour"]), _number(inputs["minute"])
    arrival = _number(inputs["sched_arr_time"])
    angles = {
        "clock": hour + minute / 60.0,
        "arrival": tf.floor(arrival / 100.0) + tf.math.floormod(arrival, 100.0) / 60.0,
        "wind_dir": _filled(inputs["wind_dir"])[0],
    }
    for name, period in CYCLES.items():
        angle = angles[name] * (2.0 * 3.141592653589793 / period)
        outputs[f"{name}_sin"], outputs[f"{name}_cos"] = tf.sin(angle), tf.cos(angle)
    for name in WORDS:
        outputs[name] = tft.compute_and_apply_vocabulary(
            _dense(inputs[name], ""), num_oov_buckets=1, vocab_filename=name
        )
    outputs["hour"] = tf.clip_by_value(_dense(inputs["hour"], 0), 0, HOURS - 1)
    outputs["weekday"] = tf.clip_by_value(_dense(inputs["weekday"], 0), 0, WEEKDAYS - 1)
    outputs[LABEL] = _dense(inputs[LABEL], 0)
    return outputs


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Train and save with a signature that takes raw, serialised examples."""
    settings = fn_args.custom_config or {}
    transform = tft.TFTransformOutput(fn_args.transform_output)
    batch = int(settings.get("batch_size", 512))
    train = _batches(fn_args.train_files, fn_args.data_accessor, transform, batch, shuffle=True)
    evaluation = _batches(fn_args.eval_files, fn_args.data_accessor, transform, batch, shuffle=False)
    model = _model(transform, float(settings.get("learning_rate", 2e-3)), int(settings.get("units", 64)))
    model.fit(train, validation_data=evaluation, epochs=int(settings.get("epochs", 4)), verbose=2)
    model.transform = transform.transform_features_layer()
    model.save(fn_args.serving_model_dir, save_format="tf", signatures={"serving_default": _serving(model, transform)})


def _model(transform: tft.TFTransformOutput, learning_rate: float, units: int) -> keras.Model:
    floats = [*NUMBERS, *LOGARITHMS, "no_plane", *(f"{name}_{part}" for name in CYCLES for part in ("sin", "cos"))]
    inputs = {name: keras.Input((1,), name=name, dtype=tf.float32) for name in floats}
    parts = list(inputs.values())
    sizes = {name: (transform.vocabulary_size_by_name(name) + 1, width) for name, width in WORDS.items()}
    for name, (size, width) in (sizes | {"hour": (HOURS, 6), "weekday": (WEEKDAYS, 3)}).items():
        inputs[name] = keras.Input((1,), name=name, dtype=tf.int64)
        parts.append(keras.layers.Flatten()(keras.layers.Embedding(size, width)(inputs[name])))
    hidden = keras.layers.concatenate(parts)
    for width in (units, units // 2):
        hidden = keras.layers.Dense(width, activation="relu")(hidden)
        hidden = keras.layers.Dropout(0.2)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="probability")(hidden))
    model.compile(
        keras.optimizers.legacy.Adam(learning_rate), "binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")]
    )
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
    options = tfxio.TensorFlowDatasetOptions(batch_size=batch, label_key=LABEL, shuffle=shuffle, num_epochs=1)
    return accessor.tf_dataset_factory(files, options, transform.transformed_metadata.schema).cache().prefetch(2)


def _dense(feature: Any, default: Any) -> tf.Tensor:
    """(batch, 1), the default where the example has no value."""
    if isinstance(feature, tf.SparseTensor):
        filled = tf.sparse.SparseTensor(feature.indices, feature.values, [feature.dense_shape[0], 1])
        return tf.reshape(tf.sparse.to_dense(filled, default_value=tf.constant(default, feature.dtype)), [-1, 1])
    return feature


def _number(feature: Any) -> tf.Tensor:
    return tf.cast(_dense(feature, 0), tf.float32)


def _filled(feature: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """(batch, 1) twice: the value, 0 where there is none; whether there is none."""
    if not isinstance(feature, tf.SparseTensor):
        return tf.cast(feature, tf.float32), tf.zeros_like(feature, tf.bool)
    ones = tf.SparseTensor(feature.indices, tf.ones_like(feature.values, tf.int32), feature.dense_shape)
    return _number(feature), tf.equal(_dense(ones, 0), 0)


def _present(feature: Any) -> tf.Tensor:
    return tf.cast(feature.values if isinstance(feature, tf.SparseTensor) else feature, tf.float32)

"""Which species is it? A user module in the style of TFX's penguin tutorial; it runs unchanged in TFX and here."""

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow import keras
from tfx import v1 as tfx
from tfx_bsl.public import tfxio

FEATURES = ["culmen_length_mm", "culmen_depth_mm", "flipper_length_mm", "body_mass_g"]
LABEL = "species"
BATCH = 20


def preprocessing_fn(inputs):
    outputs = {name: tft.scale_to_z_score(inputs[name]) for name in FEATURES}
    outputs[LABEL] = inputs[LABEL]
    return outputs


def _input_fn(file_pattern, data_accessor, transform):
    options = tfxio.TensorFlowDatasetOptions(batch_size=BATCH, label_key=LABEL)
    return data_accessor.tf_dataset_factory(file_pattern, options, transform.transformed_metadata.schema).repeat()


def _build_model():
    inputs = [keras.layers.Input(shape=(1,), name=name) for name in FEATURES]
    hidden = keras.layers.concatenate(inputs)
    for _ in range(2):
        hidden = keras.layers.Dense(8, activation="relu")(hidden)
    model = keras.Model(inputs=inputs, outputs=keras.layers.Dense(1, activation="sigmoid")(hidden))
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=["accuracy"])
    return model


def _signature(model, transform):
    model.tft_layer = transform.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        specification = transform.raw_feature_spec()
        specification.pop(LABEL)
        return {"outputs": model(model.tft_layer(tf.io.parse_example(examples, specification)))}

    return serve


def run_fn(fn_args: tfx.components.FnArgs):
    transform = tft.TFTransformOutput(fn_args.transform_output)
    train = _input_fn(fn_args.train_files, fn_args.data_accessor, transform)
    evaluation = _input_fn(fn_args.eval_files, fn_args.data_accessor, transform)
    model = _build_model()
    epochs = int((fn_args.custom_config or {}).get("epochs", 4))
    model.fit(train, steps_per_epoch=670 // BATCH, epochs=epochs, validation_data=evaluation, validation_steps=5)
    model.save(
        fn_args.serving_model_dir, save_format="tf", signatures={"serving_default": _signature(model, transform)}
    )

"""Keras 2 under TensorFlow 2.16 and newer (TF_USE_LEGACY_KERAS=1), at the speed that it had before."""

from __future__ import annotations


def keep_out_autograph() -> None:
    """Tell AutoGraph to leave Keras's own code as it is; the user's layers are converted as ever.

    TensorFlow has this rule for the package `keras`, but Keras 2 is called `tf_keras` since 2.16, so every first `fit`
    translated all of it: 15 s for the smallest of models. The outcome is the same. Call it before a model is built.
    """
    from tensorflow.python.autograph.core import config

    if not any(str(getattr(rule, "_prefix", "")) == "tf_keras" for rule in config.CONVERSION_RULES):
        config.CONVERSION_RULES = (config.DoNotConvert("tf_keras"), *config.CONVERSION_RULES)


def import_keras_tuner() -> None:
    """Import keras_tuner for the Keras that `tensorflow.keras` is here.

    It decides by the version of the package `keras` (3, beside TensorFlow 2.16) and then refuses Keras 2's models.
    """
    import os
    import sys

    import keras

    if os.environ.get("TF_USE_LEGACY_KERAS", "").lower() not in ("1", "true"):
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras_tuner"]:
        del sys.modules[name]  # TFX imported it, for the other Keras
    version, keras.version = keras.version, None
    try:
        import keras_tuner  # noqa: F401
    finally:
        keras.version = version

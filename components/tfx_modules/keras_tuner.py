"""Keras Tuner beside Keras 2, which TF_USE_LEGACY_KERAS=1 gives TensorFlow 2.16 and newer."""

from __future__ import annotations


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

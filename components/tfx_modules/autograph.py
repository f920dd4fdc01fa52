"""Libraries as they were meant to run: not converted by AutoGraph."""

from __future__ import annotations

from tensorflow.python.autograph.core import config

LIBRARIES = ("tf_keras", "tensorflow_transform", "tfx_bsl", "tensorflow_metadata")


def leave_libraries_alone() -> None:
    """Keep AutoGraph from rewriting the source of libraries that are written without it.

    TensorFlow names `keras` among the packages that AutoGraph leaves as they are. Keras 2 fell off that list when it
    was renamed to tf_keras, so each process rewrites some 170 of its functions when it first trains: 9 seconds on two
    cores. TensorFlow Transform, which traces without AutoGraph itself, is rewritten where a serving signature calls
    it: another 2 seconds. A user's own functions, layers and losses are converted as before.
    """
    known = {str(rule) for rule in config.CONVERSION_RULES}
    rules = [rule for rule in map(config.DoNotConvert, LIBRARIES) if str(rule) not in known]
    config.CONVERSION_RULES = (*config.CONVERSION_RULES, *rules)

"""A signature with its variables as constants: half the time a call, since nothing is looked up any more.

Only where it is shown to answer as the signature itself does, on samples; where anything about it does not work, there
is the signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Call = Callable[[Any], Mapping[str, Any]]
"""A tensor of serialised examples -> output -> tensor."""
_TOLERANCE = 1e-5


def fastest(signature: Any, input_name: str, samples: Sequence[bytes]) -> Call:
    """The frozen function, or the signature where that fails, or without samples to compare the two by."""

    def plain(examples: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = signature(**{input_name: examples})
        return found

    if not samples:
        return plain
    try:
        made = _frozen(signature)
        for rows in (samples, samples[:1]):
            examples = tf.constant(list(rows), tf.string)
            if not _same(plain(examples), made(examples)):
                return plain
    except Exception:  # the converter refuses what it does not know; nothing is lost by that
        return plain
    return made


def _frozen(signature: Any) -> Call:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = convert_variables_to_constants_v2(signature)
    names = sorted(signature.structured_outputs)
    own = signature.inputs[len(signature.inputs) - len(signature.captured_inputs) :]
    held = {placeholder.name: value for placeholder, value in zip(own, signature.captured_inputs, strict=True)}
    kept = [held[placeholder.name] for placeholder in function.inputs[1:]]  # look-up tables stay resources

    def call(examples: Any) -> Mapping[str, Any]:
        return dict(zip(names, function._call_flat([examples, *kept], []), strict=True))

    return call


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if set(one) != set(other):
        return False
    for name, value in one.items():
        a, b = np.asarray(value), np.asarray(other[name])
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.dtype.kind == "f" and not np.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
            return False
        if a.dtype.kind != "f" and not np.array_equal(a, b):
            return False
    return True

"""Samples/: a few raw requests and the trained model's own answers, for whoever serves it to compare with."""

from __future__ import annotations

import base64
import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord import decode_examples, read_records, split_names, split_paths


def write_samples(model: Path, examples: str | Path, count: int) -> dict[str, Any]:
    """Ask the saved model (signature serving_default) and keep question and answer.

    Returns: what the signature takes and gives. Raises: ComponentError for a model without that signature, one that
    does not take serialised examples, or one that does not answer with a row for each.
    """
    import tensorflow as tf

    serving = model / "Format-Serving"
    if not (serving / "saved_model.pb").is_file():
        raise ComponentError(
            "run_fn saved no model: save it to fn_args.serving_model_dir, for example "
            "model.save(fn_args.serving_model_dir, save_format='tf', signatures={'serving_default': ...})"
        )
    signatures = tf.saved_model.load(str(serving)).signatures
    if "serving_default" not in signatures:
        raise ComponentError(
            f"the saved model has no signature 'serving_default'; it has: {', '.join(sorted(signatures)) or 'none'}"
        )
    signature = signatures["serving_default"]
    names = list(signature.structured_input_signature[1])
    kinds = [spec.dtype for spec in signature.structured_input_signature[1].values()]
    if kinds != [tf.string]:
        raise ComponentError(
            f"serving_default takes {', '.join(names)}; expected one tensor of serialised tf.Examples (tf.string), "
            "so that raw examples can be served"
        )
    split = "eval" if "eval" in split_names(examples) else split_names(examples)[0]
    requests = _first(examples, split, count)
    answers = {name: value.numpy() for name, value in signature(**{names[0]: tf.constant(requests)}).items()}
    for name, value in answers.items():
        if value.shape[:1] != (len(requests),):
            raise ComponentError(
                f"serving_default answers {name!r} with shape {value.shape}; expected a row for each of {len(requests)}"
            )
    folder = model / "Samples"
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        folder / "requests.json",
        {"examples_base64": [base64.b64encode(each).decode() for each in requests], "rows": _rows(requests)},
    )
    _write(folder / "predictions.json", {"outputs": {name: value.tolist() for name, value in sorted(answers.items())}})
    return {"signature_input": names[0], "signature_outputs": sorted(answers), "samples": len(requests)}


def _first(examples: str | Path, split: str, count: int) -> list[bytes]:
    found: list[bytes] = []
    for path in split_paths(examples, split):
        for batch in read_records(path):
            found += [bytes(each) for each in islice(batch, count - len(found))]
            if len(found) >= count:
                return found
    return found


def _rows(requests: list[bytes]) -> list[dict[str, Any]]:
    batch = decode_examples(requests, "the samples")
    return [{name: _json(value) for name, value in row.items() if value is not None} for row in batch.to_pylist()]


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        items = [_json(item) for item in value]
        return items[0] if len(items) == 1 else items
    return value.item() if isinstance(value, np.generic) else value


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")

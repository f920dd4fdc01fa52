"""What a model comes with for those who check it: its signatures, and its own answers to sample requests."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord import decode_examples, read_records, split_names, split_paths

SERVING = "serving_default"


@dataclass(frozen=True, slots=True)
class Served:
    """A SavedModel as loaded for serving."""

    signatures: dict[str, Any]
    """Name -> {"inputs": {name: "float32[?,1]"}, "outputs": {...}}"""
    parameters: int
    _model: Any

    def answers(self, examples: list[bytes]) -> dict[str, list[Any]] | None:
        """Its outputs for serialised tf.Examples, one a row; None where its signature does not take these."""
        function = self._model.signatures.get(SERVING)
        inputs = function.structured_input_signature[1] if function is not None else {}
        if len(inputs) != 1 or next(iter(inputs.values())).dtype != tf.string:
            return None
        outputs = function(**{next(iter(inputs)): tf.constant(examples)})
        return {name: _plain(value.numpy()) for name, value in sorted(outputs.items())}


def load(folder: Path) -> Served:
    """Raises: ComponentError where there is no SavedModel, it cannot be loaded, or has no signature."""
    if not (folder / "saved_model.pb").is_file():
        found = ", ".join(sorted(p.name for p in folder.parent.glob("*"))) or "nothing"
        raise ComponentError(
            f"run_fn saved no model at fn_args.serving_model_dir ({folder.name}); found beside it: {found}. "
            "Save it there: model.save(fn_args.serving_model_dir, save_format='tf', signatures=...)"
        )
    try:
        model = tf.saved_model.load(str(folder))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise ComponentError(f"the model that run_fn saved cannot be loaded again: {error}") from error
    signatures = {
        name: {
            "inputs": {k: _spec(v) for k, v in sorted(function.structured_input_signature[1].items())},
            "outputs": {k: _spec(v) for k, v in sorted(function.structured_outputs.items())},
        }
        for name, function in sorted(model.signatures.items())
    }
    if not signatures:
        raise ComponentError("the model has no signature: pass signatures={'serving_default': ...} where you save it")
    variables = {id(v): v for v in getattr(model, "variables", ())}
    return Served(signatures, sum(int(np.prod(v.shape)) for v in variables.values()), model)


def write(served: Served, raw_examples: str | Path, folder: Path, count: int) -> int:
    """Samples/requests.json and predictions.json of the first raw examples (of split eval, where there is one).

    Returns: how many; 0 where the model takes no serialised examples. Raises: what the model itself does.
    """
    split = "eval" if "eval" in split_names(raw_examples) else split_names(raw_examples)[0]
    paths = split_paths(raw_examples, split)
    records = list(islice((r for path in paths for batch in read_records(path, max(1, count)) for r in batch), count))
    answers = served.answers(records) if records else None
    if answers is None:
        print(f"no sample requests: {SERVING} does not take serialised examples, so infra_validator has none to send")
        return 0
    rows = [
        {k: _json(v) for k, v in row.items() if v is not None} for row in decode_examples(records, paths[0]).to_pylist()
    ]
    encoded = [base64.b64encode(record).decode() for record in records]
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "requests.json", {"examples": rows, "examples_base64": encoded})
    _write(folder / "predictions.json", {"signature": SERVING, "outputs": answers})
    return len(records)


def _spec(spec: Any) -> str:
    dims = spec.shape.as_list() if spec.shape.rank is not None else ["..."]
    return f"{spec.dtype.name}[{','.join('?' if d is None else str(d) for d in dims)}]"


def _plain(values: np.ndarray[Any, Any]) -> list[Any]:
    found: list[Any] = _json(values.tolist())
    return found


def _json(value: Any) -> Any:
    if isinstance(value, list):
        return [_json(one) for one in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False), encoding="utf-8")

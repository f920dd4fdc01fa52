"""The sample requests that trainer keeps with a model, and the comparison of answers. Pure but for reading."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError


@dataclass(frozen=True, slots=True)
class Samples:
    """`examples`: base64 of serialised tf.Examples; `outputs`: name -> one answer an example, nested lists."""

    examples: Sequence[str]
    outputs: Mapping[str, Sequence[Any]]


def read(model: Path, count: int) -> Samples:
    """The first `count` of Samples/. Raises: ComponentError where they are missing or do not fit together."""
    folder = model / "Samples"
    try:
        requests = json.loads((folder / "requests.json").read_text(encoding="utf-8"))
        predictions = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))
        examples, outputs = requests["examples_base64"], predictions["outputs"]
    except FileNotFoundError as error:
        raise ComponentError(
            f"the model has no {error.filename}: trainer writes its sample requests there (sample_requests > 0)"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ComponentError(f"{folder} cannot be read: {error!r}") from None
    wrong = {name: len(rows) for name, rows in outputs.items() if len(rows) != len(examples)}
    if not examples or not outputs or wrong:
        raise ComponentError(f"{folder} has {len(examples)} requests and {wrong or 'no'} predictions; expected as many")
    if count < 1:
        raise ComponentError(f"requests is {count}; expected at least 1")
    return Samples(examples[:count], {name: rows[:count] for name, rows in outputs.items()})


def difference(expected: Mapping[str, Sequence[Any]], found: Mapping[str, Sequence[Any]]) -> tuple[float, str]:
    """The greatest difference and where it is; infinite where names, shapes or texts differ.

    |found - expected| / max(1, |expected|): absolute for small values, relative for big ones. NaN equals NaN.
    """
    if set(expected) != set(found):
        return math.inf, f"the server's outputs are {sorted(found)}, the trainer's {sorted(expected)}"
    worst, where = 0.0, "all equal"
    for name in sorted(expected):
        mine, theirs = _flat(found[name]), _flat(expected[name])
        if len(mine) != len(theirs):
            return math.inf, f"output {name!r} has {len(mine)} values, the trainer's {len(theirs)}"
        for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            one = _distance(a, b)
            if one > worst:
                each = max(1, len(theirs) // max(1, len(expected[name])))
                worst, where = one, f"output {name!r} of request {i // each + 1}: {a!r}, the trainer's {b!r}"
    return worst, where


def _distance(found: Any, expected: Any) -> float:
    if isinstance(found, int | float) and isinstance(expected, int | float):
        if (math.isnan(found) and math.isnan(expected)) or found == expected:
            return 0.0
        gap = abs(found - expected) / max(1.0, abs(expected))
        return gap if math.isfinite(gap) else math.inf
    return 0.0 if found == expected else math.inf


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list):
        return [v for one in values for v in _flat(one)]
    return [values]

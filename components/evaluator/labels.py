"""Labels as numbers that metrics understand: 0/1, class numbers, or reals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidegate.components.errors import ComponentError
from tidegate.components.evaluator.catalogue import BINARY, MULTICLASS, REGRESSION
from tidegate.components.evaluator.examples import plain
from tidegate.components.evaluator.requirements import Requirements


def numbers(column: pa.Array, wanted: Requirements, where: str) -> NDArray[np.float64]:
    """The label column, (n,). Raises: ComponentError for a missing, odd or constant label."""
    if column.null_count:
        first = column.is_null().to_numpy(zero_copy_only=False).argmax()
        raise ComponentError(
            f"{column.null_count} of {len(column)} examples of {where} have no label {wanted.label!r} "
            f"(the first is number {first + 1}); evaluation needs all of them labelled"
        )
    if wanted.classes:
        found = _classes(column, wanted, where)
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        found = column.to_numpy(zero_copy_only=False).astype(np.float64)
    else:
        raise ComponentError(
            f"label {wanted.label!r} is text ({plain(column[0].as_py())!r}, ...): say which classes it has, in the "
            "order of the model's output, as `classes: [...]` in the requirements"
        )
    _check(found, wanted, where)
    return found


def _classes(column: pa.Array, wanted: Requirements, where: str) -> NDArray[np.float64]:
    encoded = column.dictionary_encode()
    known = {str(c): i for i, c in enumerate(wanted.classes)}
    values = [str(plain(v)) for v in encoded.dictionary.to_pylist()]
    strange = [v for v in values if v not in known]
    if strange:
        raise ComponentError(f"label {wanted.label!r} of {where} has {strange[:5]}, which `classes` does not list")
    table = np.array([known[v] for v in values], np.float64)
    return table[encoded.indices.to_numpy(zero_copy_only=False)]


def _check(found: NDArray[np.float64], wanted: Requirements, where: str) -> None:
    if not np.isfinite(found).all():
        raise ComponentError(
            f"label {wanted.label!r} of {where} is not finite in {(~np.isfinite(found)).sum()} examples"
        )
    if wanted.task == REGRESSION:
        return
    distinct = np.unique(found)
    if wanted.task == BINARY and not np.isin(distinct, (0, 1)).all():
        raise ComponentError(
            f"task binary needs labels 0 and 1; label {wanted.label!r} has {distinct[:5].tolist()}: "
            "use task multiclass, or give the two `classes` (the positive one last)"
        )
    if wanted.task == MULTICLASS and ((distinct < 0).any() or (distinct != distinct.astype(int)).any()):
        raise ComponentError(f"task multiclass needs class numbers 0, 1, ...; label has {distinct[:5].tolist()}")
    if len(distinct) == 1:
        raise ComponentError(
            f"all {len(found)} labels {wanted.label!r} of {where} are {distinct[0]:g}: nothing can be told apart; "
            "look at how the split was made"
        )


def check_predictions(scores: NDArray[Any], wanted: Requirements, model: str) -> NDArray[np.float64]:
    """Predictions in the task's shape, (n,) or (n, classes). Raises: ComponentError that says what was found."""
    if not np.isfinite(scores).all():
        rows = np.flatnonzero(~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1))
        raise ComponentError(
            f"the {model} model's predictions are NaN or infinite for {len(rows)} of {len(scores)} examples (the first "
            f"is number {rows[0] + 1}): look at its training (a diverged loss?) and at missing values in its inputs"
        )
    shape = scores.shape[1:]
    found = scores.astype(np.float64)
    if wanted.task == MULTICLASS:
        if len(shape) != 1 or shape[0] < 2:
            raise ComponentError(f"task multiclass needs predictions (examples, classes); {model} gives {scores.shape}")
    elif wanted.task == BINARY and shape == (2,):
        found = found[:, 1]
    elif shape in ((), (1,)):
        found = found.reshape(len(found))
    else:
        raise ComponentError(f"task {wanted.task} needs one prediction for each example; {model} gives {scores.shape}")
    if wanted.task != REGRESSION and (found.min() < 0 or found.max() > 1):
        raise ComponentError(
            f"the {model} model's predictions run from {found.min():.3g} to {found.max():.3g}: they look like logits; "
            "serving_default must give probabilities (a sigmoid or softmax as its last step)"
        )
    return found

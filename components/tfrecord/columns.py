"""Columns of features that have one value at most, out of Arrow's lists."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidegate.components.errors import ComponentError


def single_values(name: str, column: pa.Array) -> pa.Array:
    """One value a row, null where the feature is absent or without values; a column that is no list stays as it is.

    Raises: ComponentError where an example has several values.
    """
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return column
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    if lengths.size and lengths.max() > 1:
        raise ComponentError(f"feature {name!r} has {lengths.max()} values in one example; expected a single value")
    values = column.flatten()
    if len(values) == len(lengths):
        return values
    return values.take(pa.array(np.cumsum(lengths) - 1, mask=lengths == 0))

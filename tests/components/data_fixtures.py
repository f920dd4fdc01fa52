"""Small Examples, statistics and schemas for the tests of the data components."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tidegate.components.schema_gen.work import infer_schema
from tidegate.components.statistics_gen.work import generate_statistics
from tidegate.components.tfrecord import write_examples


def trips(rows: int, seed: int = 0, **replaced: Any) -> pa.RecordBatch:
    """Rows with a label `late` that depends on `hour` and `wind`; `replaced` columns take the place of made ones."""
    generator = np.random.default_rng(seed)
    hour, wind = generator.integers(0, 24, rows), generator.gamma(2.0, 5.0, rows)
    odds = (hour - 12) / 4 + (wind - 10) / 5
    columns: dict[str, Any] = {
        "id": np.arange(rows) + 1_000_000 * seed,
        "hour": hour,
        "wind": wind,
        "gate": pa.array(generator.choice(["A", "B", "C"], rows)),
        "note": pa.array([f"n{n % 7}" for n in range(rows)], mask=generator.random(rows) < 0.25),
        "late": (generator.random(rows) < 1 / (1 + np.exp(-odds))).astype(int),
    }
    columns |= replaced
    return pa.RecordBatch.from_pydict(
        {
            name: column if isinstance(column, pa.Array) else pa.array(column)
            for name, column in columns.items()
            if column is not None
        }
    )


class Data:
    """An Examples artifact and what follows from it, in a folder of its own."""

    def __init__(self, folder: Path, **splits: pa.RecordBatch) -> None:
        self.examples, self.statistics, self.schema = (folder / n for n in ("examples", "statistics", "schema"))
        for split, batch in splits.items():
            write_examples(self.examples, split, [batch])
        generate_statistics(self.examples, self.statistics)
        infer_schema(self.statistics, self.schema)

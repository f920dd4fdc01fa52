"""What statistics_gen does: TFDV's statistics for each split of the examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tidegate.components.errors import ComponentError
from tidegate.components.progress import report
from tidegate.components.schema_gen.files import read_schema
from tidegate.components.statistics_gen.compute import in_memory, with_beam
from tidegate.components.statistics_gen.files import write_statistics
from tidegate.components.tfrecord import split_names, split_paths


def generate_statistics(
    examples: str | Path,
    statistics: str | Path,
    schema: str | Path | None = None,
    sample_rate: float = 1.0,
    beam_pipeline_args: Sequence[str] = (),
) -> dict[str, int]:
    """Write the ExampleStatistics artifact `statistics`; returns split -> rows that were looked at.

    `schema` (a Schema artifact): says which numbers are categories, and more that TFDV takes from it.
    Raises: ComponentError for examples that are missing or damaged, and a sample rate outside (0, 1].
    """
    if not 0 < sample_rate <= 1:
        raise ComponentError(f"sample_rate is {sample_rate}; expected a share above 0 and up to 1")
    known = read_schema(schema) if schema else None
    rows: dict[str, int] = {}
    names = split_names(examples)
    for done, split in enumerate(names):
        report(f"statistics of {split}", done, len(names))
        files = split_paths(examples, split)
        if beam_pipeline_args:
            found = with_beam(files, beam_pipeline_args, known, sample_rate)
        else:
            found = in_memory(files, known, sample_rate, split)
        write_statistics(statistics, split, found)
        rows[split] = int(found.datasets[0].num_examples)
        print(f"{split}: {rows[split]} rows, {len(found.datasets[0].features)} features")
    return rows

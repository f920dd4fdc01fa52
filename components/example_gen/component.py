"""The KFP component `example_gen`."""

from typing import Dict  # noqa: UP035

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import Examples


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def example_gen(
    examples: dsl.Output[Examples],
    input_base: str = "",
    pattern: str = "*",
    format: str = "auto",
    span: int = -1,
    window: int = 1,
    version: int = -1,
    fingerprint: str = "",
    splits: Dict = {"train": 2, "eval": 1},  # noqa: B006, UP006
    split_by: str = "hash",
    range_filter: Dict = {},  # noqa: B006, UP006
    max_bad_rows: int = 0,
    keep_parquet: bool = False,
    module: Dict = {},  # noqa: B006, UP006
    options: Dict = {},  # noqa: B006, UP006
):
    """Read CSV, Parquet or TFRecord files, or what a Python hook yields, and write splits of tf.Examples.

    Args:
        examples: Split-<name>/data_tfrecord-*.gz.
        input_base: the folder that holds the data (or one file).
        pattern: which files, with {SPAN}, {VERSION} or {YYYY}, {MM}, {DD} where data comes in spans.
        format: csv, parquet, tfrecord, or auto (by name).
        span: the newest span to read; -1: the newest there is.
        window: how many span numbers to read, that one the last.
        version: of that span; -1: the newest.
        fingerprint: latest_span's, so that the cache key follows the data.
        splits: name -> share, interval or values, as split_by asks.
        split_by: hash, hash:COLUMN, time:COLUMN, column:COLUMN or span.
        range_filter: column (or span) -> [from, to), null for no bound.
        max_bad_rows: so many may be left out; -1: any number.
        keep_parquet: write parquet/<split>.parquet beside the splits.
        module: a user module with read_examples(input_base, span, **options), instead of files.
        options: for CSV types, null_values, delimiter, encoding; columns; with a module, its own arguments.
    """
    import json

    from tidegate.components.example_gen.work import generate

    done = generate(
        examples=examples.path,
        input_base=input_base,
        pattern=pattern,
        format=format,
        span=span,
        window=window,
        version=version,
        splits=splits,
        split_by=split_by,
        range_filter=range_filter,
        max_bad_rows=max_bad_rows,
        keep_parquet=keep_parquet,
        module=module,
        options=options,
    )
    examples.metadata["split_names"] = json.dumps(list(done.rows))
    examples.metadata["rows"] = sum(done.rows.values())
    examples.metadata["rows_by_split"] = dict(done.rows)
    examples.metadata["features"] = done.features
    examples.metadata["span"] = done.span
    examples.metadata["version"] = done.version
    examples.metadata["spans"] = list(done.spans)
    examples.metadata["bad_rows"] = done.bad_rows
    examples.metadata["left_out"] = done.left_out
    examples.metadata["data_fingerprint"] = fingerprint

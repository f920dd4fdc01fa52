"""Analyses the data, saves the transform, and applies it: TFT in one process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError
from tidegate.components.modules import function_of, load_module
from tidegate.components.progress import report
from tidegate.components.schema_gen.files import read_schema
from tidegate.components.statistics_gen.work import generate_statistics
from tidegate.components.tfrecord import ExampleWriter, split_folder, split_names, split_paths

STEM = "transformed_examples"
"""TFX's name for the files."""


@dataclass(frozen=True, slots=True)
class Transformed:
    rows: dict[str, int]
    """By split."""
    features: list[str]
    computed: int
    """Analyses of a shard that had to be made."""
    reused: int
    """Analyses that the cache had."""


def transform(
    *,
    examples: str | Path,
    schema: str | Path,
    module: Mapping[str, str],
    transform_graph: str | Path,
    transformed_examples: str | Path,
    post_transform_statistics: str | Path,
    updated_analyzer_cache: str | Path,
    analyzer_cache: str | Path | None = None,
    custom_config: Mapping[str, Any] | None = None,
    analyze_splits: Sequence[str] = ("train",),
) -> Transformed:
    """Run the user's preprocessing_fn over `examples`.

    Raises: ComponentError for what the user can mend; whatever preprocessing_fn raises.
    """
    import tensorflow as tf
    from tensorflow_transform.beam.analyzer_cache import DatasetKey

    from tidegate.components.transform.cache import read_cache, write_cache
    from tidegate.components.transform.in_memory import analyze
    from tidegate.components.transform.inputs import Adapter, shards
    from tidegate.components.transform.preprocessing import Preprocessing, with_config
    from tidegate.components.transform.saved_model import normalise

    missing = sorted(set(analyze_splits) - set(split_names(examples)))
    if missing or not analyze_splits:
        raise ComponentError(
            f"analyze_splits is {list(analyze_splits)}; the examples have: {', '.join(split_names(examples))}"
        )
    tf.keras.utils.set_random_seed(0)  # names and initial values inside the graph
    known = read_schema(schema)
    adapter = Adapter(known)
    function = with_config(function_of(load_module(module), "preprocessing_fn"), custom_config or {})
    with tempfile.TemporaryDirectory(prefix="transform-") as temporary:
        folder = Path(temporary)
        preprocessing = Preprocessing(function, adapter.specs, folder)
        found = [shard for split in analyze_splits for shard in shards(split_paths(examples, split), split)]
        report(f"analysing {', '.join(analyze_splits)}")
        analysis = analyze(
            preprocessing,
            {DatasetKey(shard.key): lambda path=shard.path: adapter.batches(path) for shard in found},
            read_cache(analyzer_cache, (shard.key for shard in found)),
            folder,
        )
        print(f"analysis: {analysis.computed} computed, {analysis.reused} from the cache")
        report("saving the transform")
        saved = Path(transform_graph) / "transform_fn"
        applied, outputs = preprocessing.save(analysis.replacements, saved)
        normalise(saved, folder)
        _write_metadata(Path(transform_graph), known, outputs, preprocessing.assets)
        write_cache(updated_analyzer_cache, analysis.cache)
        rows = _apply(applied, outputs, adapter, Path(examples), Path(transformed_examples))
    report("statistics of what came out")
    generate_statistics(transformed_examples, post_transform_statistics)
    return Transformed(rows, sorted(feature.name for feature in outputs.feature), analysis.computed, analysis.reused)


def _write_metadata(folder: Path, raw: Any, transformed: Any, assets: Mapping[str, str]) -> None:
    """TFX's layout: the schemas of both sides, and which asset is which vocabulary."""
    from tensorflow_transform import TFTransformOutput
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io

    for name, schema in (
        (TFTransformOutput.TRANSFORMED_METADATA_DIR, transformed),
        (TFTransformOutput.RAW_METADATA_DIR, raw),
    ):
        metadata_io.write_metadata(dataset_metadata.DatasetMetadata(schema), str(folder / name))
    if assets:
        target = folder / TFTransformOutput.TRANSFORMED_METADATA_DIR / TFTransformOutput.ASSET_MAP
        target.write_text(json.dumps(dict(sorted(assets.items()))), encoding="utf-8")


def _apply(applied: Any, schema: Any, adapter: Any, examples: Path, target: Path) -> dict[str, int]:
    from tensorflow_transform import impl_helper

    convert = impl_helper.make_tensor_to_arrow_converter(schema)
    rows = {}
    splits = split_names(examples)
    for done, split in enumerate(splits):
        report(f"transforming {split}", done, len(splits))
        with ExampleWriter(split_folder(target, split), STEM) as writer:
            for path in split_paths(examples, split):
                for batch in adapter.batches(path):
                    writer.write(convert.convert(dict(applied(batch))))
        rows[split] = writer.rows
        print(f"{split}: {writer.rows} rows")
    return rows

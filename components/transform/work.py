"""What transform does: analyse the examples, keep the result as a graph, apply it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tensorflow_transform import TFTransformOutput
from tensorflow_transform.beam.analyzer_cache import DatasetKey

from tidegate.components.errors import ComponentError
from tidegate.components.modules import function_of, load_module
from tidegate.components.progress import report
from tidegate.components.schema_gen.files import read_schema
from tidegate.components.tfrecord import split_names, split_paths
from tidegate.components.tfx_modules import lazily
from tidegate.components.transform import cache, in_memory, outputs
from tidegate.components.transform.inputs import Adapter, shards
from tidegate.components.transform.job import Job, Transformed
from tidegate.components.transform.preprocessing import Preprocessing, with_config
from tidegate.components.transform.saved_model import normalise


def transform(
    examples: str | Path,
    schema: str | Path,
    module: Mapping[str, str],
    transform_graph: str | Path,
    transformed_examples: str | Path,
    statistics: str | Path,
    updated_cache: str | Path,
    analyzer_cache: str | Path | None = None,
    custom_config: Mapping[str, Any] | None = None,
    analyze_splits: Sequence[str] = ("train",),
    beam_pipeline_args: Sequence[str] = (),
) -> Transformed:
    """Run the module's `preprocessing_fn` over the examples: in memory, or by Beam where asked, or where it must be.

    Raises: ComponentError for examples, schema or splits that cannot be used; what the module itself raises.
    """
    names = split_names(examples)
    unknown = [split for split in analyze_splits if split not in names]
    if unknown or not analyze_splits:
        raise ComponentError(f"analyze_splits is {list(analyze_splits)}; expected some of: {', '.join(names)}")
    lazily.install()
    with tempfile.TemporaryDirectory(prefix="transform-") as folder:
        modules = Path(folder) / "module"
        modules.mkdir()
        function = function_of(load_module(module, modules), "preprocessing_fn")
        job = Job(
            function=with_config(function, custom_config or {}),
            schema=read_schema(schema),
            paths={split: split_paths(examples, split) for split in names},
            analyze_splits=analyze_splits,
            graph=Path(transform_graph),
            examples=Path(transformed_examples),
            statistics=Path(statistics),
            folder=Path(folder) / "work",
        )
        Path(updated_cache).mkdir(parents=True, exist_ok=True)
        if not beam_pipeline_args:
            try:
                return _in_memory(job, analyzer_cache, updated_cache)
            except in_memory.UnsupportedError as why:
                print(f"{why}: Beam's direct runner does it, which takes longer and keeps no analyzer cache")
        from tidegate.components.transform.beam import with_beam

        return with_beam(job, beam_pipeline_args)


def _in_memory(job: Job, analyzer_cache: str | Path | None, updated_cache: str | Path) -> Transformed:
    clock = _Clock()
    adapter = Adapter(job.schema)
    preprocessing = Preprocessing(job.function, adapter.specs, job.folder)
    clock.tick("tracing")
    found = {DatasetKey(s.key): s.path for split in job.analyze_splits for s in shards(job.paths[split], split)}
    known = cache.read(analyzer_cache, found) if analyzer_cache else {}
    inputs = {key: partial(adapter.batches, path) for key, path in found.items()}
    analysis = in_memory.analyze(preprocessing, inputs, known, job.folder)
    cache.write(updated_cache, analysis.cache)
    clock.tick("analysis")
    print(
        f"analysed {', '.join(job.analyze_splits)} ({len(found)} shards): {analysis.computed} accumulators computed, "
        f"{analysis.reused} from the analyzer cache"
    )
    report("saving the transform graph")
    target = job.graph / TFTransformOutput.TRANSFORM_FN_DIR
    apply, schema = preprocessing.save(analysis.replacements, target)
    normalise(target, job.folder)
    outputs.write_metadata(job.graph, job.schema, schema, preprocessing.assets)
    clock.tick("saving")
    rows = {}
    for split in job.paths:
        rows[split] = outputs.write_split(job, split, adapter, apply, schema)
        print(f"{split}: {rows[split]} rows, {len(schema.feature)} features")
    clock.tick("applying, with statistics")
    print("seconds: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in clock.seconds.items()))
    return Transformed(rows, len(schema.feature), "in memory", clock.seconds, analysis.computed, analysis.reused)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def tick(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now

"""TFT's analysis graph executed in this process, without Beam.

TFT describes an analysis as a graph of operations over collections (`analysis_graph_builder.build`), which it then
turns into a Beam pipeline, operation by operation. Here the same graph is walked with the same `nodes.Traverser`, and
every collection is a plain list. Only the input is not: each shard is read once a phase, and all analyzers of that
phase fold its batches together (`accumulators.accumulate`). The combiners and vocabulary rules are TFT's own objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_transform import analyzer_nodes, nodes, tf_utils
from tensorflow_transform.beam import analysis_graph_builder, analyzer_cache, analyzer_impls, beam_nodes

from tidegate.components.progress import report
from tidegate.components.transform import vocabularies
from tidegate.components.transform.accumulators import Reader, accumulate, can_accumulate, merge, merge_per_key
from tidegate.components.transform.preprocessing import Applied, Preprocessing, Replacements, Tensors

Shards = Mapping[analyzer_cache.DatasetKey, Callable[[], Iterable[Tensors]]]
"""Shard -> its batches as tensors, read anew at each call."""
Cache = dict[analyzer_cache.DatasetKey, dict[bytes, list[bytes]]]
"""Shard -> key of an analyzer (TFT's hash of the graph that leads to it) -> its encoded accumulators."""


class UnsupportedError(Exception):
    """An operation that only Beam can run; its text says which and why."""


@dataclass(frozen=True, slots=True)
class Analysis:
    replacements: Replacements
    cache: Cache
    """What was computed or taken from the cache, for the shards of this analysis."""
    computed: int
    """Accumulators that had to be computed."""
    reused: int
    """Accumulators that the cache had."""


def analyze(preprocessing: Preprocessing, shards: Shards, cache: Cache, folder: Path) -> Analysis:
    """Run every analyzer of `preprocessing` over `shards`. Vocabularies are written to `folder`.

    Raises: UnsupportedError, before any data is read.
    """
    known = {shard: cache.get(shard, {}) for shard in shards}
    offered = {shard: analyzer_cache.DatasetCache(entries, None) for shard, entries in known.items()}
    final, to_encode, _ = analysis_graph_builder.build(
        preprocessing.graph, preprocessing.inputs, preprocessing.outputs, list(shards), cache_dict=offered
    )
    plan = _Plan()
    nodes.Traverser(plan).visit_value_node(final)
    run = _Run(preprocessing, shards, known, plan.readers, folder)
    traverser = nodes.Traverser(run)
    replacements = traverser.visit_value_node(final)
    made: Cache = {shard: {} for shard in shards}
    computed = 0
    for shard, entries in (to_encode or {}).items():
        for key, node in entries.items():
            made[shard][key] = traverser.visit_value_node(node)
            computed += 1
    for shard, key in run.decoded:
        made[shard][key] = known[shard][key]
    return Analysis(replacements, made, computed, len(run.decoded))


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a value comes from, as far as planning must know: an applied phase, or tensors extracted from it."""

    applied: str = ""
    keys: tuple[str, ...] = ()


class _Plan(nodes.Visitor):
    """Finds which operations read which applied phase, and refuses what cannot be run."""

    def __init__(self) -> None:
        self.readers: dict[str, list[Reader]] = {}

    def validate_value(self, value: Any) -> None:
        assert isinstance(value, _Source)

    def visit(self, operation: Any, inputs: Sequence[_Source]) -> tuple[_Source, ...]:
        nothing = (_Source(),) * operation.num_outputs
        if isinstance(operation, beam_nodes.ApplySavedModel):
            self.readers[operation.label] = []
            return (_Source(operation.label),)
        source = next((one for one in inputs if one.applied), None)
        if source is None:
            if type(operation) not in _OPERATIONS:
                raise UnsupportedError(
                    f"operation {type(operation).__name__} ({operation.label}) has no in-memory form"
                )
            return nothing
        if isinstance(operation, beam_nodes.ExtractFromDict):
            return (_Source(source.applied, tuple(operation.keys)),)
        readers = self.readers[source.applied]
        if isinstance(operation, analyzer_nodes.PackedCombineAccumulate):
            readers += [Reader(one.label, tuple(one.keys), one) for one in operation.combiners]
            return nothing
        if not can_accumulate(operation):
            raise UnsupportedError(f"analyzer {type(operation).__name__} ({operation.label}) has no in-memory form")
        readers.append(Reader(operation.label, source.keys, operation))
        return nothing


class _Run(nodes.Visitor):
    """Evaluates the graph; the value of a node is a list, but for the few whose consumer is known (see _OPERATIONS)."""

    def __init__(
        self,
        preprocessing: Preprocessing,
        shards: Shards,
        cache: Cache,
        readers: Mapping[str, Sequence[Reader]],
        folder: Path,
    ) -> None:
        self.preprocessing, self.cache, self.folder = preprocessing, cache, folder
        self.decoded: list[tuple[analyzer_cache.DatasetKey, bytes]] = []
        self._shards, self._readers = shards, readers
        self._accumulated: dict[str, dict[str, list[Any]]] = {}

    def validate_value(self, value: Any) -> None:
        pass

    def visit(self, operation: Any, inputs: Sequence[Any]) -> Sequence[Any]:
        if isinstance(operation, beam_nodes.CreateSavedModel):
            replacements = {b.name: tf.constant(b.value, b.dtype) for (b,) in inputs}
            if operation.label == "CreateSavedModel":
                return (replacements,)
            return (self.preprocessing.phase(operation.output_signature, replacements),)
        if isinstance(operation, beam_nodes.ExtractInputForSavedModel):
            return (operation.dataset_key,)
        if isinstance(operation, beam_nodes.ApplySavedModel):
            return (self._read(operation, *inputs),)
        return _OPERATIONS[type(operation)](self, operation, *inputs)

    def _read(self, operation: Any, phase: Applied, shard: analyzer_cache.DatasetKey) -> dict[str, list[Any]]:
        """One pass: the accumulators of all that read this phase of this shard."""
        chosen = list(self._shards) if shard.is_flattened_dataset_key() else [shard]
        rows = 0

        def batches() -> Iterable[Mapping[str, Any]]:
            nonlocal rows
            for one in sorted(chosen):
                for tensors in self._shards[one]():
                    yield {key: np.asarray(value) for key, value in phase(tensors).items()}
                    rows += 1
                    report(f"analysing, phase {operation.phase + 1}, batch {rows}")

        return accumulate(self._readers[operation.label], batches())

    def accumulated(self, operation: Any, accumulators: Any) -> tuple[list[Any]]:
        return (accumulators[operation.label],)


@dataclass(frozen=True, slots=True)
class _Binding:
    name: str
    dtype: Any
    value: Any


Operation = Callable[..., Sequence[Any]]


def _extract(run: _Run, op: Any, values: Any) -> Sequence[Any]:
    """From an applied phase: its accumulators, still together. From packed combiners: one of them."""
    if isinstance(op.keys, tuple):
        return (values,)
    return ([values[0][op.keys]] if isinstance(values, list) else values[op.keys],)


def _order_and_write(run: _Run, op: Any, counts: Any, reserved: Any = None) -> Sequence[Any]:
    tokens = None if reserved is None else list(reserved[0])
    return ([np.array(vocabularies.write(op, counts, tokens, run.folder))],)


def _reserved_tokens(run: _Run, op: Any) -> Sequence[Any]:
    return ([tf_utils.fetch_vocabulary_reserved_tokens(run.preprocessing.graph, op.name)],)


def _decode(run: _Run, op: Any) -> Sequence[Any]:
    run.decoded.append((op.dataset_key, op.cache_key))
    return ([op.coder.decode_cache(one) for one in run.cache[op.dataset_key][op.cache_key]],)


def _packed_merge(run: _Run, op: Any, keyed: Any) -> Sequence[Any]:
    held: dict[str, list[Any]] = {}
    for label, accumulator in keyed:
        held.setdefault(label, []).append(accumulator)
    return ([{one.label: merge(one.combiner, held.get(one.keys[0], [])) for one in op.combiners}],)


def _outputs(run: _Run, op: Any, values: Any) -> Sequence[Any]:
    return [[value] for value in values[0]]


def _format_keys(run: _Run, op: Any, keyed: Any) -> Sequence[Any]:
    dtypes = [info.dtype for info in op.combiner.output_tensor_infos()]
    return [[one.value] for one in analyzer_impls._merge_outputs_by_key(keyed, dtypes)]


def _format_large(run: _Run, op: Any, keyed: Any) -> Sequence[Any]:
    text = tf.compat.as_str_any
    return ([(text(",".join(map(text, values))), key) for key, values in keyed],)


_OPERATIONS: dict[type, Operation] = {
    beam_nodes.CreateSavedModel: lambda run, op, *_: run.visit(op, _),
    beam_nodes.ExtractInputForSavedModel: lambda run, op: run.visit(op, ()),
    beam_nodes.ExtractFromDict: _extract,
    beam_nodes.Flatten: lambda run, op, *lists: ([one for each in lists for one in each],),
    beam_nodes.CreateTensorBinding: lambda run, op, v: ([_Binding(op.tensor_name, op.dtype_enum, v[0])],),
    analyzer_nodes.CacheableCombineAccumulate: _Run.accumulated,
    analyzer_nodes.CacheableCombinePerKeyAccumulate: _Run.accumulated,
    analyzer_nodes.VocabularyAccumulate: _Run.accumulated,
    analyzer_nodes.PackedCombineAccumulate: lambda run, op, accumulators: (accumulators,),
    analyzer_nodes.CacheableCombineMerge: lambda run, op, held: ([merge(op.combiner, held)],),
    analyzer_nodes.PackedCombineMerge: _packed_merge,
    analyzer_nodes.ExtractCombineMergeOutputs: _outputs,
    analyzer_nodes.ExtractPackedCombineMergeOutputs: _outputs,
    analyzer_nodes.CacheableCombinePerKeyMerge: lambda run, op, keyed: (merge_per_key(op.combiner, keyed),),
    analyzer_nodes.CacheableCombinePerKeyFormatKeys: _format_keys,
    analyzer_nodes.CacheableCombinePerKeyFormatLarge: _format_large,
    analyzer_nodes.ScaleAndFlattenPerKeyBucketBouandaries: lambda run, op, v: [
        [one] for one in analyzer_impls._join_boundary_rows(v[0])
    ],
    analyzer_nodes.VocabularyMerge: lambda run, op, counts: (vocabularies.merge(op, counts),),
    analyzer_nodes.VocabularyPrune: lambda run, op, counts: (vocabularies.prune(op, counts),),
    analyzer_nodes.VocabularyCount: lambda run, op, counts: ([np.int64(max(len(counts), 1))],),
    analyzer_nodes.VocabularyOrderAndWrite: _order_and_write,
    analyzer_nodes.ExtractVocabularyReservedTokens: _reserved_tokens,
    analyzer_nodes.AddKey: lambda run, op, values: ([(op.key, value) for value in values],),
    analyzer_nodes.FlattenLists: lambda run, op, lists: ([one for each in lists for one in each],),
    analyzer_nodes.EncodeCache: lambda run, op, values: ([op.coder.encode_cache(one) for one in values],),
    analyzer_nodes.DecodeCache: _decode,
}

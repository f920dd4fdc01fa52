"""One pass over one shard: every analyzer that reads it folds the same batches into an accumulator of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tensorflow_transform import analyzer_nodes, analyzers
from tensorflow_transform.beam import analyzer_impls

from tidegate.components.transform.vocabularies import PLAIN, SUPPORTED, VocabularyCounts

WeightedMean = analyzers.WeightedMeanAndVarCombiner.accumulator_class
Values = Sequence[Any]
"""The tensors that an analyzer reads, of one batch."""


class Accumulator(Protocol):
    """What an analyzer holds of a shard."""

    def add(self, values: Values) -> None: ...

    def items(self) -> list[Any]:
        """The elements that Beam's PCollection would have here."""
        ...


@dataclass
class Combined:
    """CacheableCombineAccumulate."""

    combiner: analyzer_nodes.Combiner
    _held: Any = None
    _started: bool = False

    def add(self, values: Values) -> None:
        if not self._started:
            self._held, self._started = self.combiner.create_accumulator(), True
        self._held = self.combiner.add_input(self._held, values)

    def items(self) -> list[Any]:
        held = self._held if self._started else self.combiner.create_accumulator()
        return [self.combiner.compact(held)]


@dataclass
class CombinedPerKey:
    """CacheableCombinePerKeyAccumulate: the first tensor is the key of each row."""

    combiner: analyzer_nodes.Combiner
    _held: dict[Any, Any] = field(default_factory=dict)

    def add(self, values: Values) -> None:
        held, combiner = self._held, self.combiner
        for key, row in analyzer_impls._split_inputs_by_key(values):
            before = held[key] if key in held else combiner.create_accumulator()
            held[key] = combiner.add_input(before, row)

    def items(self) -> list[Any]:
        return [(key, self.combiner.compact(held)) for key, held in self._held.items()]


@dataclass(frozen=True, slots=True)
class Reader:
    """An accumulating operation, and the names of the tensors that it reads."""

    label: str
    keys: tuple[str, ...]
    operation: Any

    def start(self) -> Accumulator:
        """A fresh one for one shard."""
        if isinstance(self.operation, analyzer_nodes.VocabularyAccumulate):
            return VocabularyCounts(self.operation.vocab_ordering_type)
        if isinstance(self.operation, analyzer_nodes.CacheableCombinePerKeyAccumulate):
            return CombinedPerKey(self.operation.combiner)
        return Combined(self.operation.combiner)

    def finish(self, accumulator: Accumulator) -> list[Any]:
        """Its elements, as the cache would give them back: so a cached run makes the very bytes of one that is not."""
        operation, items = self.operation, accumulator.items()
        vocabulary = isinstance(operation, analyzer_nodes.VocabularyAccumulate)
        if vocabulary and operation.vocab_ordering_type in PLAIN:
            return items
        coder = operation.cache_coder if hasattr(operation, "cache_coder") else operation.combiner.accumulator_coder
        back = [coder.decode_cache(coder.encode_cache(one)) for one in items]
        return [(token, WeightedMean(*mean)) for token, mean in back] if vocabulary else back


def can_accumulate(operation: Any) -> bool:
    if isinstance(operation, analyzer_nodes.VocabularyAccumulate):
        return operation.vocab_ordering_type in SUPPORTED
    return isinstance(
        operation, analyzer_nodes.CacheableCombineAccumulate | analyzer_nodes.CacheableCombinePerKeyAccumulate
    )


def accumulate(readers: Sequence[Reader], batches: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Reader's label -> its accumulators, after all batches (tensor name -> array)."""
    started = [(reader, reader.start()) for reader in readers]
    for batch in batches:
        for reader, accumulator in started:
            accumulator.add(tuple(batch[key] for key in reader.keys))
    return {reader.label: reader.finish(accumulator) for reader, accumulator in started}


def merge(combiner: analyzer_nodes.Combiner, accumulators: Iterable[Any]) -> Any:
    """Accumulators of several shards (some perhaps read from a cache) -> the analyzer's outputs."""
    held = [one for one in (combiner.create_accumulator(), *accumulators) if one is not None]
    return combiner.extract_output(combiner.merge_accumulators(held))


def merge_per_key(combiner: analyzer_nodes.Combiner, accumulators: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """(key, accumulator) of several shards -> (key, outputs)."""
    held: dict[Any, list[Any]] = {}
    for key, accumulator in accumulators:
        held.setdefault(key, []).append(accumulator)
    return [(key, merge(combiner, each)) for key, each in held.items()]

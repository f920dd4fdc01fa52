"""Vocabularies as TFT makes them: counted, merged, pruned, ordered and written, in TFT's own order."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf
from tensorflow_transform import analyzer_nodes, analyzers, tf_utils
from tensorflow_transform.beam import analyzer_impls

from tidegate.components.tfrecord import RecordWriter

Ordering = analyzers._VocabOrderingType
Counted = tuple[Any, Any]
"""(count or informativeness, token)"""
_BY_INFORMATION = {Ordering.MUTUAL_INFORMATION: False, Ordering.WEIGHTED_MUTUAL_INFORMATION: True}  # weighted?
PLAIN = frozenset({Ordering.FREQUENCY, Ordering.WEIGHTED_FREQUENCY})
"""Orderings whose accumulators are plain numbers."""
SUPPORTED = PLAIN | set(_BY_INFORMATION)


class VocabularyCounts:
    """What VocabularyAccumulate holds of one shard: token -> count, sum of weights, or weighted label means."""

    def __init__(self, ordering: Any) -> None:
        self._ordering = ordering
        self._counts: dict[Any, Any] = Counter()
        self._means = _means(ordering)

    def add(self, values: Sequence[Any]) -> None:
        """`values`: the tensors of one batch."""
        if self._ordering == Ordering.FREQUENCY:
            self._counts.update(values[0].tolist())
        elif self._ordering == Ordering.WEIGHTED_FREQUENCY:
            for token, weight in zip(values[0].tolist(), values[1].tolist(), strict=True):
                self._counts[token] += weight
        else:
            assert self._means is not None
            weighted = _BY_INFORMATION[self._ordering]
            for token, mean in analyzer_impls._flatten_to_key_and_means_accumulator_list(values, weighted):
                held = self._counts.get(token)
                held = self._means.create_accumulator() if held is None else held
                self._counts[token] = self._means.add_input(held, mean)

    def items(self) -> list[tuple[Any, Any]]:
        if self._means is None:
            return list(self._counts.items())
        return [(token, self._means.extract_output(mean)) for token, mean in self._counts.items()]


def _means(ordering: Any) -> Any:
    if ordering not in _BY_INFORMATION:
        return None
    return analyzer_impls._WeightedMeanCombineFn((None,), compute_weighted=_BY_INFORMATION[ordering])


def merge(operation: analyzer_nodes.VocabularyMerge, counts: Iterable[tuple[Any, Any]]) -> list[Counted]:
    """Add up what the shards counted."""
    if operation.vocab_ordering_type not in _BY_INFORMATION:
        total: dict[Any, Any] = {}
        for token, count in counts:
            total[token] = total[token] + count if token in total else count
        return [(count, token) for token, count in total.items()]
    return _information(operation, counts)


def _information(operation: analyzer_nodes.VocabularyMerge, counts: Iterable[tuple[Any, Any]]) -> list[Counted]:
    means = _means(operation.vocab_ordering_type)
    held: dict[Any, list[Any]] = {}
    for token, mean in counts:
        held.setdefault(token, []).append(mean)
    merged = {
        token: means.extract_output(means.merge_accumulators([means.create_accumulator(), *each]))
        for token, each in held.items()
    }
    sentinels = (tf_utils.GLOBAL_Y_COUNT_SENTINEL_STRING, tf_utils.GLOBAL_Y_COUNT_SENTINEL_INT)
    whole = next(mean for token, mean in merged.items() if token in sentinels)
    least = operation.min_diff_from_avg
    if least is None:
        least = analyzers.calculate_recommended_min_diff_from_avg(whole.count * whole.weight)
    found = []
    for token, mean in merged.items():
        if token in sentinels:
            continue
        _, (information, _, frequency) = analyzer_impls._calculate_mutual_information_for_feature_value(
            (token, mean), whole, operation.use_adjusted_mutual_info, least
        )
        found.append(((information, frequency), token))
    return found


def prune(operation: analyzer_nodes.VocabularyPrune, counts: Sequence[Counted]) -> list[Counted]:
    """Thresholds and top_k; a coverage arm adds the best tokens of each key."""
    for name in ("top_k", "frequency_threshold", "coverage_top_k", "coverage_frequency_threshold"):
        value = getattr(operation, name)
        if value is not None and value < 0:
            raise ValueError(f"{name} of a vocabulary is {value}; expected at least 0")
    kept = _prune(counts, operation.frequency_threshold, operation.informativeness_threshold, operation.input_dtype)
    if operation.top_k is not None:
        kept = sorted(kept, reverse=True)[: operation.top_k]
        kept = analyzer_impls.maybe_add_empty_vocabulary_dummy(kept, operation.input_dtype)
    if operation.key_fn is None:
        return kept
    covering = _prune(
        counts,
        operation.coverage_frequency_threshold,
        operation.coverage_informativeness_threshold,
        operation.input_dtype,
    )
    if operation.coverage_top_k is not None:
        covering = _best_of_keys(covering, operation.key_fn, operation.coverage_top_k)
    return list(dict.fromkeys([*kept, *covering]))


def _prune(counts: Iterable[Counted], frequency: float, information: float, dtype: str) -> list[Counted]:
    kept = []
    for value, token in counts:
        first, count = value if isinstance(value, tuple) else (value, value)
        informative = not isinstance(value, tuple) or first >= information
        if (frequency > 0 or information > float("-inf")) and not (count >= frequency and informative):
            continue
        kept.append((first, token if dtype == tf.string.name else str(token).encode()))
    return kept


def _best_of_keys(counts: Iterable[Counted], key_of: Callable[[Any], Any], top_k: int) -> list[Counted]:
    keyed: dict[Any, list[Counted]] = {}
    for count, token in counts:
        keyed.setdefault(key_of(token), []).append((float(count) if hasattr(count, "dtype") else count, token))
    return [one for each in keyed.values() for one in sorted(each, reverse=True)[:top_k]]


def write(
    operation: analyzer_nodes.VocabularyOrderAndWrite,
    counts: Sequence[Counted],
    reserved: Sequence[bytes] | None,
    folder: Path,
) -> str:
    """Order the vocabulary and write it; returns the file's path."""
    ordered = list(counts)
    if reserved is not None:
        taken = set(reserved)
        ordered = [one for one in ordered if one[1] not in taken]
    if operation.fingerprint_shuffle:
        ordered.sort(key=lambda one: hashlib.sha1(one[1]).digest())  # noqa: S324
    elif reserved is not None or not operation.input_is_sorted:
        ordered.sort(reverse=True)
    if reserved is not None:
        ordered[:0] = [(-1, token) for token in reserved]
    ordered = analyzer_impls.maybe_add_empty_vocabulary_dummy(ordered, operation.input_dtype)
    if operation.store_frequency:
        lines = [analyzer_impls._count_and_token_to_bytes(count, token) for count, token in ordered]
    else:
        lines = [token for _, token in ordered]
    return str(_write(lines, folder / operation.vocab_filename, operation.file_format))


def _write(lines: Sequence[bytes], path: Path, file_format: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if file_format == "text":
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path
    path = path.with_name(f"{path.name}.tfrecord.gz")
    with RecordWriter(path) as out:
        out.write(pa.array(lines, pa.large_binary()))
    return path

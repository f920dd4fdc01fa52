"""TFRecord files of tf.Examples: the bytes are TensorFlow's own, and damage is told."""

from __future__ import annotations

import datetime
import gzip
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord import (
    ExampleWriter,
    decode_examples,
    encode_examples,
    read_examples,
    read_records,
    split_names,
    split_paths,
    write_examples,
)
from tidegate.components.tfrecord.decode import decode_columns

_FLOATS = st.floats(width=32)
_NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=20)
_VALUES = {
    "int": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    "float": st.lists(_FLOATS, max_size=3),
    "text": st.lists(st.text(max_size=200), max_size=3),
}
_TYPES = {"int": pa.list_(pa.int64()), "float": pa.list_(pa.float32()), "text": pa.large_list(pa.string())}


def _rows() -> st.SearchStrategy[list[dict[str, list[object]]]]:
    """Rows whose features may be absent; a feature's name says its type."""
    names = st.lists(_NAMES, unique=True, min_size=1, max_size=4)
    kinds = names.flatmap(
        lambda found: st.tuples(*(st.tuples(st.just(n), st.sampled_from(sorted(_VALUES))) for n in found))
    )
    return kinds.flatmap(
        lambda columns: st.lists(
            st.fixed_dictionaries({column: st.none() | _VALUES[column[1]] for column in columns}),
            min_size=1,
            max_size=5,
        )
    )


def _by_tensorflow(row: dict[tuple[str, str], list[object] | None]) -> bytes:
    example = tf.train.Example(features=tf.train.Features())
    for (name, kind), values in row.items():
        if values is not None:
            feature = example.features.feature[name]
            listed = {"int": feature.int64_list, "float": feature.float_list, "text": feature.bytes_list}[kind]
            listed.SetInParent()
            listed.value.extend([v.encode() for v in values] if kind == "text" else values)
    return example.SerializeToString(deterministic=True)


@settings(max_examples=60, deadline=None)
@given(_rows())
def test_rows_become_the_very_bytes_that_tensorflow_would_write(
    rows: list[dict[tuple[str, str], list[object]]],
) -> None:
    columns = list(rows[0])
    arrays = [pa.array([row[c] for row in rows], _TYPES[c[1]]) for c in columns]
    batch = pa.RecordBatch.from_arrays(arrays, [c[0] for c in columns])
    assert encode_examples(batch).to_pylist() == [_by_tensorflow(row) for row in rows]


@settings(max_examples=80, deadline=None)
@given(_rows(), st.randoms(use_true_random=False), st.booleans())
def test_rows_are_decoded_as_tfx_decodes_them(rows: list[Any], chance: random.Random, with_schema: bool) -> None:
    """Whatever the order of the features, which TensorFlow leaves open."""
    records, schema = [], schema_pb2.Schema()
    for row in rows:
        columns = list(row.items())
        chance.shuffle(columns)
        parts = [_by_tensorflow(dict([column])) for column in columns]
        records.append(_merged(parts))
    for name, kind in rows[0]:
        schema.feature.add(name=name, type={"text": 1, "int": 2, "float": 3}[kind])
    known = schema if with_schema else None
    theirs = ExamplesToRecordBatchDecoder(known and known.SerializeToString()).DecodeBatch(records)
    ours = decode_examples(records, "here", known)
    assert ours.schema == theirs.schema
    assert encode_examples(ours) == encode_examples(theirs)
    assert list(decode_columns(records)) == sorted(decode_columns(records))  # it is not left to TFX


def _merged(parts: list[bytes]) -> bytes:
    """One Example of single-feature ones, its features in their order."""
    inside = b"".join(tf.train.Example.FromString(p).features.SerializeToString() for p in parts)
    size, head = len(inside), b""
    while size > 0x7F:
        head, size = head + bytes([size & 0x7F | 0x80]), size >> 7
    return b"\x0a" + head + bytes([size]) + inside


def test_unpacked_numbers_and_lists_in_pieces_are_left_to_tfx() -> None:
    unpacked = bytes.fromhex("0a0d0a0b0a01781206" + "1a0408010802")
    pieces = bytes.fromhex("0a0f0a0d0a01781208" + "1a060a01010a0102")
    for record in (unpacked, pieces):
        assert list(tf.train.Example.FromString(record).features.feature["x"].int64_list.value) == [1, 2]
        assert decode_examples([record], "here").to_pydict() == {"x": [[1, 2]]}


def test_single_values_of_every_kind_and_nulls_as_absent_features() -> None:
    when = datetime.datetime(2013, 1, 1, 10, 30, tzinfo=datetime.UTC)
    batch = pa.RecordBatch.from_pydict(
        {
            "bool": pa.array([True, None]),
            "small": pa.array([-7, None], pa.int8()),
            "double": pa.array([0.5, None], pa.float64()),
            "day": pa.array([datetime.date(2013, 1, 2), None]),
            "when": pa.array([when, None], pa.timestamp("s", "UTC")),
            "zoned": pa.array([when, None], pa.timestamp("us", "America/New_York")),
            "local": pa.array([when.replace(tzinfo=None), None], pa.timestamp("ms")),
            "word": pa.array(["año", None]).dictionary_encode(),
            "nothing": pa.nulls(2),
        }
    )
    full, empty = (tf.train.Example.FromString(one) for one in encode_examples(batch).to_pylist())
    features = full.features.feature
    assert features["bool"].int64_list.value == [1]
    assert features["small"].int64_list.value == [-7]
    assert features["double"].float_list.value == [0.5]
    assert features["day"].bytes_list.value == [b"2013-01-02"]
    assert features["when"].bytes_list.value == [b"2013-01-01T10:30:00Z"]
    assert features["zoned"].bytes_list.value == [b"2013-01-01T10:30:00Z"]
    assert features["local"].bytes_list.value == [b"2013-01-01T10:30:00"]
    assert features["word"].bytes_list.value == ["año".encode()]
    assert "nothing" not in features
    assert not empty.features.feature


def test_a_slice_of_a_batch_is_encoded_as_that_slice() -> None:
    batch = pa.RecordBatch.from_pydict({"x": pa.array([[1], None, [2, 3], []]), "y": pa.array(["a", None, "c", "d"])})
    assert encode_examples(batch.slice(1, 3)).to_pylist() == encode_examples(batch).to_pylist()[1:]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([{"a": 1}]), "column 'x' has type struct"),
        (pa.array([[[1]]]), "column 'x' has type list"),
        (pa.array([[1, None]]), "lists with nulls"),
        (pa.array([2**64 - 1], pa.uint64()), "64-bit signed"),
    ],
)
def test_a_column_without_a_tf_example_form_is_named(column: pa.Array, said: str) -> None:
    with pytest.raises(ComponentError, match=said):
        encode_examples(pa.RecordBatch.from_arrays([column], ["x"]))


def _batch(rows: int) -> pa.RecordBatch:
    numbers = np.arange(rows)
    words = pa.array([f"word {n % 97}" for n in numbers], mask=numbers % 5 == 0)
    return pa.RecordBatch.from_pydict({"id": pa.array(numbers), "half": pa.array(numbers / 2), "word": words})


def test_tensorflow_reads_what_we_write(tmp_path: Path) -> None:
    rows = write_examples(tmp_path, "train", [_batch(40_000)])
    (path,) = split_paths(tmp_path, "train")
    read = tf.data.TFRecordDataset(str(path), "GZIP").batch(rows + 1)
    spec = {"id": tf.io.FixedLenFeature([], tf.int64), "word": tf.io.FixedLenFeature([], tf.string, "")}
    (parsed,) = (tf.io.parse_example(serialised, spec) for serialised in read)
    assert path.name == "data_tfrecord-00000-of-00001.gz"
    assert parsed["id"].numpy().tolist() == list(range(40_000)) and rows == 40_000
    assert parsed["word"].numpy()[:3].tolist() == [b"", b"word 1", b"word 2"]


@pytest.mark.parametrize("compression", ["GZIP", ""])
def test_we_read_what_tensorflow_writes(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "data_tfrecord"
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for n in range(1000):
            writer.write(b"x" * n)
    batches = list(read_records(path, batch_rows=300))
    assert [len(b) for b in batches] == [300, 300, 300, 100]
    assert [len(record) for batch in batches for record in batch] == list(range(1000))


def test_gzip_files_of_several_members_are_read_to_their_end(tmp_path: Path) -> None:
    write_examples(tmp_path, "train", [_batch(10)])
    (path,) = split_paths(tmp_path, "train")
    path.write_bytes(path.read_bytes() * 2)
    assert sum(batch.num_rows for batch in read_examples([path])) == 20


def test_equal_rows_give_equal_files_however_many_cores_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for cores in (1, 3):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, cores=cores: set(range(cores)))
        write_examples(tmp_path / str(cores), "train", [_batch(40_000)])
        written.append(split_paths(tmp_path / str(cores), "train")[0].read_bytes())
    assert written[0] == written[1]


def test_a_write_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ExampleWriter(tmp_path) as writer:
        writer.write(_batch(10))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def _plain(records: list[bytes], path: Path) -> bytes:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda whole: whole[:-3], "cut short after record 1"),
        (lambda whole: whole[:-8] + b"!" + whole[-7:], "record 2 has a wrong checksum"),
        (lambda whole: b"name,age\nann,3\nbob,4\n", "not a TFRecord file"),
        (lambda whole: gzip.compress(whole)[:-12], "not a whole gzip file"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, spoil, said: str) -> None:
    path = tmp_path / "spoiled"
    path.write_bytes(spoil(_plain([b"one record", b"another one"], tmp_path / "whole")))
    with pytest.raises(ComponentError, match=said):
        list(read_records(path))


def test_a_missing_file_and_a_record_that_is_no_example_are_told(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="does not exist"):
        list(read_records(tmp_path / "nothing"))
    _plain([b"\xff\xffno example"], tmp_path / "data_tfrecord")
    with pytest.raises(ComponentError, match=r"no tf\.Example"):
        list(read_examples([tmp_path / "data_tfrecord"]))


def test_splits_are_listed_and_an_unknown_one_is_answered_with_the_list(tmp_path: Path) -> None:
    for split in ("train", "eval"):
        write_examples(tmp_path, split, [_batch(3)])
    assert split_names(tmp_path) == ["eval", "train"]
    with pytest.raises(ComponentError, match="no examples of split 'test'; its splits: eval, train"):
        split_paths(tmp_path, "test")
    with pytest.raises(ComponentError, match="holds no Examples"):
        split_names(tmp_path / "Split-train")

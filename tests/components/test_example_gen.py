"""example_gen: rows of files or of a hook, into splits; what is wrong with the input is told with file and line."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from tidegate.components.errors import ComponentError
from tidegate.components.example_gen.work import Generated, generate
from tidegate.components.tfrecord import read_examples, read_records, split_paths, write_examples

ROWS = 300
CSV = "id,city,price,note\n" + "".join(
    f"{n},{'NYC' if n % 3 else 'Oslo'},{n / 4},{'' if n % 2 else 'x'}\n" for n in range(ROWS)
)


def _made(folder: Path, text: str | bytes = CSV, name: str = "a.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def _generate(out: Path, base: Path, **asked: Any) -> Generated:
    return generate(out, str(base), **asked)


def _rows(out: Path, split: str) -> list[dict[str, Any]]:
    """What TensorFlow finds: feature -> its value (a list where there are several)."""
    rows = []
    for path in split_paths(out, split):
        for record in (r for batch in read_records(path) for r in batch):
            features = tf.train.Example.FromString(record).features.feature
            row: dict[str, Any] = {}
            for name, feature in features.items():
                values = list(getattr(feature, feature.WhichOneof("kind")).value)
                row[name] = values[0] if len(values) == 1 else values
            rows.append(row)
    return rows


def _all(out: Path, *splits: str) -> list[dict[str, Any]]:
    return [row for split in splits for row in _rows(out, split)]


@pytest.mark.parametrize("packed", ["a.csv", "a.csv.gz", "a.zip"])
def test_csv_plain_or_packed_keeps_types_and_leaves_missing_values_out(tmp_path: Path, packed: str) -> None:
    base = tmp_path / "in"
    base.mkdir()
    if packed.endswith(".zip"):
        with zipfile.ZipFile(base / packed, "w") as archive:
            archive.writestr("a.csv", CSV)
    else:
        (base / packed).write_bytes(gzip.compress(CSV.encode()) if packed.endswith(".gz") else CSV.encode())
    done = _generate(tmp_path / "out", base)
    rows = sorted(_all(tmp_path / "out", "train", "eval"), key=lambda row: row["id"])
    assert len(rows) == ROWS == sum(done.rows.values()) and done.features == 4
    assert rows[0] == {"id": 0, "city": b"Oslo", "price": 0.0, "note": b"x"}
    assert rows[1] == {"id": 1, "city": b"NYC", "price": 0.25}


def test_hash_buckets_are_those_of_tfx(tmp_path: Path) -> None:
    _generate(tmp_path / "out", _made(tmp_path / "in"), splits={"train": 3, "eval": 1})
    for split, buckets in (("train", {0, 1, 2}), ("eval", {3})):
        for records in read_records(split_paths(tmp_path / "out", split)[0]):
            assert {int(hashlib.sha256(r).hexdigest(), 16) % 4 for r in records} <= buckets


def test_the_same_rows_give_the_same_bytes_whatever_the_file_is_called(tmp_path: Path) -> None:
    for run, name in (("one", "a.csv"), ("two", "b.csv")):
        _generate(tmp_path / run, _made(tmp_path / f"in-{run}", name=name))
    for split in ("train", "eval"):
        first, second = (split_paths(tmp_path / run, split)[0] for run in ("one", "two"))
        assert first.name == second.name and first.read_bytes() == second.read_bytes()


def test_a_new_row_moves_no_other_row_to_another_split(tmp_path: Path) -> None:
    _generate(tmp_path / "one", _made(tmp_path / "a"))
    header, rest = CSV.split("\n", 1)
    _generate(tmp_path / "two", _made(tmp_path / "b", f"{header}\n9999,NYC,1.5,x\n{rest}"))
    before, after = ({row["id"] for row in _rows(tmp_path / run, "eval")} for run in ("one", "two"))
    assert before == after - {9999}


def test_split_by_hash_of_a_column_keeps_equal_values_together(tmp_path: Path) -> None:
    text = "user,n\n" + "".join(f"u{n % 40},{n}\n" for n in range(400))
    _generate(tmp_path / "out", _made(tmp_path / "in", text), split_by="hash:user")
    train, evaluation = ({row["user"] for row in _rows(tmp_path / "out", s)} for s in ("train", "eval"))
    assert not train & evaluation and len(train | evaluation) == 40


def test_split_by_time_puts_the_earliest_share_first_and_parts_no_tie(tmp_path: Path) -> None:
    days = [datetime.date(2013, 1, 1 + (n * 7) % 10) for n in range(100)]
    text = "day,n\n" + "".join(f"{d},{n}\n" for n, d in enumerate(days))
    _generate(tmp_path / "out", _made(tmp_path / "in", text), split_by="time:day")
    train, evaluation = ({row["day"] for row in _rows(tmp_path / "out", s)} for s in ("train", "eval"))
    assert max(train) < min(evaluation)
    assert (len(train), len(evaluation)) == (7, 3)


def test_split_by_time_at_given_moments_leaves_the_rest_out(tmp_path: Path) -> None:
    text = "when,n\n" + "".join(f"2013-01-{n + 1:02d}T10:00:00Z,{n}\n" for n in range(30))
    splits = {"train": ["2013-01-05", "2013-01-20"], "eval": ["2013-01-20", None]}
    done = _generate(tmp_path / "out", _made(tmp_path / "in", text), split_by="time:when", splits=splits)
    assert done.rows == {"train": 15, "eval": 11} and done.left_out == 4
    assert {row["n"] for row in _rows(tmp_path / "out", "train")} == set(range(4, 19))
    assert _rows(tmp_path / "out", "eval")[0]["when"] == b"2013-01-20T10:00:00Z"


def test_split_by_column_takes_values(tmp_path: Path) -> None:
    done = _generate(
        tmp_path / "out", _made(tmp_path / "in"), split_by="column:city", splits={"train": ["NYC"], "eval": ["Oslo"]}
    )
    assert done.rows == {"train": 200, "eval": 100}


def _spans(base: Path) -> Path:
    for span in (1, 2, 3):
        _made(base, f"n,span_of\n{span}0,{span}\n{span}1,{span}\n", f"span-{span}-v1.csv")
    return _made(base, "n,span_of\n25,2\n", "span-2-v2.csv")


def test_spans_are_written_to_files_of_their_own(tmp_path: Path) -> None:
    base = _spans(tmp_path / "in")
    done = _generate(tmp_path / "out", base, pattern="span-{SPAN}-v{VERSION}.csv", window=2, splits={"train": 1})
    names = [path.name for path in split_paths(tmp_path / "out", "train")]
    assert names == [f"data_tfrecord-span-0000{s}-00000-of-00001.gz" for s in (2, 3)]
    assert [row["n"] for row in _rows(tmp_path / "out", "train")] == [25, 30, 31]
    assert (done.span, done.version, done.spans) == (3, 1, (2, 3))


def test_split_by_span_evaluates_on_the_newest(tmp_path: Path) -> None:
    _generate(
        tmp_path / "out", _spans(tmp_path / "in"), pattern="span-{SPAN}-v{VERSION}.csv", window=3, split_by="span"
    )
    assert {row["span_of"] for row in _rows(tmp_path / "out", "train")} == {1, 2}
    assert {row["span_of"] for row in _rows(tmp_path / "out", "eval")} == {3}


def test_a_range_filter_keeps_rows_and_spans_from_up_to(tmp_path: Path) -> None:
    asked = {"pattern": "span-{SPAN}-v{VERSION}.csv", "window": 9, "splits": {"train": 1}}
    _generate(tmp_path / "a", _spans(tmp_path / "in"), range_filter={"span": [None, 3]}, **asked)
    assert [row["n"] for row in _rows(tmp_path / "a", "train")] == [10, 11, 25]
    _generate(tmp_path / "b", tmp_path / "in", range_filter={"n": [11, 30]}, **asked)
    assert [row["n"] for row in _rows(tmp_path / "b", "train")] == [11, 25]


def test_parquet_and_tfrecord_give_what_csv_gives(tmp_path: Path) -> None:
    _generate(tmp_path / "csv", _made(tmp_path / "in"), keep_parquet=True)
    table = pa.concat_tables([pq.read_table(tmp_path / "csv/parquet" / f"{s}.parquet") for s in ("train", "eval")])
    assert table.num_rows == ROWS
    (tmp_path / "pq").mkdir()
    pq.write_table(table, tmp_path / "pq/rows.parquet")
    write_examples(tmp_path, "all", table.to_batches())
    for kind, base in (("parquet", tmp_path / "pq"), ("tfrecord", tmp_path / "Split-all")):
        _generate(tmp_path / kind, base)
        for split in ("train", "eval"):
            assert _rows(tmp_path / kind, split) == _rows(tmp_path / "csv", split)


def test_lists_in_parquet_become_features_of_several_values(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"tags": [["a", "b"], [], None], "n": [1, 2, 3]}), tmp_path / "in/rows.parquet")
    _generate(tmp_path / "out", tmp_path / "in", splits={"train": 1})
    assert _rows(tmp_path / "out", "train") == [{"tags": [b"a", b"b"], "n": 1}, {"tags": [], "n": 2}, {"n": 3}]


HOOK = """
import pyarrow as pa

def read_examples(input_base, span, rows=3):
    for part in range(2):
        yield pa.table({"n": list(range(rows)), "part": [part] * rows, "base": [input_base] * rows})
"""


def test_a_hook_yields_tables_and_takes_its_options(tmp_path: Path) -> None:
    generate(tmp_path / "out", "here", module={"hook.py": HOOK}, options={"rows": 2}, splits={"train": 1})
    assert [(r["part"], r["n"], r["base"]) for r in _rows(tmp_path / "out", "train")] == [
        (0, 0, b"here"), (0, 1, b"here"), (1, 0, b"here"), (1, 1, b"here"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "raised", "said"),
    [
        ("def read_examples(base, span):\n    return [{'a': 1}]", ComponentError, "gave a dict; expected pyarrow"),
        ("def read_example(base, span):\n    return []", ComponentError, "no function 'read_examples'.*read_example"),
        ("def read_examples(base, span):\n    raise OSError('no disk')", OSError, "no disk"),
        ("def read_examples(base, span):\n    return []", ComponentError, "has no rows"),
    ],
)
def test_a_hook_that_does_something_else_is_told(
    tmp_path: Path, source: str, raised: type[Exception], said: str
) -> None:
    with pytest.raises(raised, match=said):
        generate(tmp_path / "out", module={"hook.py": source})


def test_integers_in_one_file_and_floats_in_another_are_floats(tmp_path: Path) -> None:
    base = _made(_made(tmp_path / "in", "x,y\n1,\n2,\n"), "x,y\n0.5,7\n", "b.csv")
    _generate(tmp_path / "out", base, splits={"train": 1})
    assert _rows(tmp_path / "out", "train") == [{"x": 1.0}, {"x": 2.0}, {"x": 0.5, "y": 7}]


def test_declared_types_win(tmp_path: Path) -> None:
    base = _made(tmp_path / "in", "zip,n\n01234,1\n56789,2\n")
    options = {"types": {"zip": "string", "n": "float"}}
    _generate(tmp_path / "out", base, splits={"train": 1}, options=options)
    assert _rows(tmp_path / "out", "train") == [{"zip": b"01234", "n": 1.0}, {"zip": b"56789", "n": 2.0}]


LATE_TEXT = "id,price\n" + "".join(f"{n},{n}\n" for n in range(500)) + '500,"a\nb"\n501,many\n502,7\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a,b\n", "has no rows"),
        ("a,b\n1,2\n3\n4,5,6\n", r"a.csv line 3: 1 fields where the header has 2\n.*a.csv line 4: 3 fields"),
        (
            LATE_TEXT,
            r"line 502: column 'price' has 'a\\nb', expected a number(.|\n)*line 504: column 'price' has 'many'",
        ),
        ("a,\n1,2\n", "line 1: column 2 has no name"),
        ("a,a\n1,2\n", "two columns are named 'a'"),
        ("a,b\n1,é\n".encode("latin-1"), "line 2: byte 0xe9 is not utf-8.*latin-1"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16"),
        ("a,b\n1,\0\n", "line 2: a NUL"),
    ],
)
def test_a_bad_csv_file_is_told_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ComponentError, match=said):
        _generate(tmp_path / "out", _made(tmp_path / "in", text), splits={"train": 1})
    assert not list((tmp_path / "out").glob("Split-*/*"))


def test_max_bad_rows_leaves_them_out(tmp_path: Path) -> None:
    base = _made(tmp_path / "in", LATE_TEXT + "short\n")
    with pytest.raises(ComponentError, match="3 bad rows, max_bad_rows is 2"):
        _generate(tmp_path / "out", base, splits={"train": 1}, max_bad_rows=2)
    done = _generate(tmp_path / "out", base, splits={"train": 1}, max_bad_rows=3)
    assert done.bad_rows == 3 and done.rows == {"train": 501}
    assert _rows(tmp_path / "out", "train")[-1] == {"id": 502, "price": 7}


def test_other_encodings_are_read_when_named(tmp_path: Path) -> None:
    base = _made(tmp_path / "in", "city,n\nMünster,1\n".encode("latin-1"))
    _generate(tmp_path / "out", base, splits={"train": 1}, options={"encoding": "latin-1"})
    assert _rows(tmp_path / "out", "train")[0]["city"] == "Münster".encode()


@pytest.mark.parametrize(
    ("files", "asked", "said"),
    [
        ({"a.csv": "x\n1\n", "b.csv": "x\nred\n"}, {}, "column 'x' is int64 in .*a.csv and string in .*b.csv"),
        ({"a.csv": "x,y\n1,2\n", "b.csv": "x\n1\n"}, {}, "b.csv has no column 'y', which .*a.csv has"),
        ({"a.bin": "x"}, {}, "does not tell the format"),
        ({"a.parquet": "no parquet"}, {}, "cannot be read as Parquet"),
        ({"a.zip": "no zip"}, {}, "no whole .zip file"),
        ({"a.csv": "x\n1\n"}, {"pattern": "*.parquet"}, r"no file in .* matches '\*.parquet'; there is: a.csv"),
        ({"a.csv": "x\n1\n"}, {"format": "xml"}, "format is 'xml'"),
        ({"a.csv": "x\n1\n"}, {"options": {"sep": ";"}}, "unknown option 'sep'; there are: types"),
        ({"a.csv": "x\n1\n"}, {"options": {"columns": ["z"]}}, "no column 'z'; its columns: x"),
        ({"a.csv": "x\n1\n"}, {"range_filter": {"x": [5, None]}}, "leaves out all 1 rows"),
        ({"a.csv": "x\n1\n"}, {"range_filter": {"z": [5, None]}}, "range_filter: there is no column 'z'; there are: x"),
        ({"a.csv": "x\n1\n"}, {"range_filter": {"x": ["a", None]}}, "'a' cannot be compared with .* int64"),
        ({"a.csv": "x\n1\n"}, {}, "split '(train|eval)' gets no rows"),
        ({"a.csv": "x\n1\n"}, {"split_by": "month"}, "split_by is 'month'; expected one of hash"),
        ({"a.csv": "x\n1\n"}, {"split_by": "time:x", "splits": {"a": [None, 3], "b": [1, None]}}, "and 'b' overlap"),
        ({"a.csv": "x\n1\n"}, {"splits": {"train": 0.5}}, "expected numbers of buckets"),
        ({"a.csv": "x\n1\n"}, {"split_by": "column:x", "splits": {"train": [2]}}, "no row has '2' in .*; it has: 1"),
    ],
)  # fmt: skip
def test_input_and_settings_that_cannot_work_are_told(
    tmp_path: Path, files: dict[str, str], asked: Any, said: str
) -> None:
    for name, text in files.items():
        _made(tmp_path / "in", text, name)
    with pytest.raises(ComponentError, match=said):
        _generate(tmp_path / "out", tmp_path / "in", **asked)


def test_a_feature_that_no_row_has_is_left_out(tmp_path: Path) -> None:
    _generate(tmp_path / "out", _made(tmp_path / "in", "x,empty\n1,\n2,\n"), splits={"train": 1})
    (batch,) = read_examples(split_paths(tmp_path / "out", "train"))
    assert batch.schema.names == ["x"]


def test_shares_in_time_do_not_depend_on_the_order_of_the_splits(tmp_path):
    """KFP hands a Dict over as a protobuf Struct, which keeps no order: the earliest rows are for training anyway."""
    text = "when,x\n" + "".join(f"{day},{day}\n" for day in range(1, 10))
    for number, splits in enumerate(({"train": 2, "eval": 1}, {"eval": 1, "train": 2})):
        done = _generate(
            tmp_path / f"out{number}", _made(tmp_path / f"in{number}", text), split_by="time:when", splits=splits
        )
        assert done.rows == {"train": 6, "eval": 3}
        (batch,) = read_examples(split_paths(tmp_path / f"out{number}", "train"))
        assert max(value for (value,) in batch.column("x").to_pylist()) == 6

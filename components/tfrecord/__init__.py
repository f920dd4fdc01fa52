"""Examples artifacts as Arrow: TFRecord files of tf.Examples, read and written without TensorFlow or Beam.

for batch in read_examples(split_paths(examples, "train")):     # pyarrow RecordBatches of list columns
    ...
with ExampleWriter(split_folder(out, "train")) as writer:       # data_tfrecord-00000-of-00001.gz
    writer.write(batch)
"""

from tidegate.components.tfrecord.encode import encode_examples
from tidegate.components.tfrecord.layout import (
    ExampleWriter,
    decode_examples,
    read_examples,
    split_folder,
    split_names,
    split_paths,
    write_examples,
)
from tidegate.components.tfrecord.records import RecordWriter, read_records

__all__ = [
    "ExampleWriter",
    "RecordWriter",
    "decode_examples",
    "encode_examples",
    "read_examples",
    "read_records",
    "split_folder",
    "split_names",
    "split_paths",
    "write_examples",
]

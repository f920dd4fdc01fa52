"""Penguins whose species follows from their measures: examples, schema and transform's output for trainer and tuner."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tidegate.components.schema_gen.files import write_schema
from tidegate.components.tfrecord import write_examples
from tidegate.components.tfx_modules import lazily
from tidegate.components.transform.work import transform

with warnings.catch_warnings():  # as in conftest.py: before warnings are errors
    warnings.simplefilter("ignore")
    lazily.install()
    import tfx.components.tuner.component  # noqa: F401

MODULE = Path(__file__).parent / "modules" / "penguin_module.py"
MEASURES = {"culmen_length_mm": 44.0, "culmen_depth_mm": 17.0, "flipper_length_mm": 200.0, "body_mass_g": 4200.0}
SPECIES = ("Adelie", "Chinstrap", "Gentoo")


def penguins(count: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, count)
    columns = {
        name: (middle * (1 + 0.1 * (kind - 1) + 0.03 * rng.normal(size=count))).astype("f4")
        for name, middle in MEASURES.items()
    }
    return pa.table({**columns, "species": np.array(SPECIES)[kind]})


def penguin_schema() -> schema_pb2.Schema:
    kinds = {**dict.fromkeys(MEASURES, "FLOAT"), "species": "BYTES"}
    one = "presence { min_fraction: 1 min_count: 1 } shape { dim { size: 1 } }"
    text = "".join(f'feature {{ name: "{name}" type: {kind} {one} }}\n' for name, kind in kinds.items())
    return text_format.Parse(text, schema_pb2.Schema())


@dataclass(frozen=True)
class Penguins:
    examples: Path
    schema: Path
    graph: Path
    transformed: Path
    module: dict[str, str]


def prepare(folder: Path) -> Penguins:
    examples = folder / "examples"
    write_examples(examples, "train", [penguins(600, 1)])
    write_examples(examples, "eval", [penguins(200, 2)])
    write_schema(folder / "schema", penguin_schema())
    module = {MODULE.name: MODULE.read_text()}
    made = Penguins(examples, folder / "schema", folder / "graph", folder / "transformed", module)
    transform(examples, made.schema, module, made.graph, made.transformed, folder / "statistics", folder / "cache")
    return made

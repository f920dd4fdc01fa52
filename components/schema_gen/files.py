"""The Schema artifact: schema.pbtxt, alone in its folder, where TFX looks for it."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tidegate.components.errors import ComponentError

FILE = "schema.pbtxt"


def write_schema(schema: str | Path, found: schema_pb2.Schema) -> None:
    folder = Path(schema)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(text_format.MessageToString(found), encoding="utf-8")


def read_schema(schema: str | Path) -> schema_pb2.Schema:
    """Raises: ComponentError where there is none, or its text cannot be understood."""
    file = Path(schema) / FILE
    try:
        return parse_schema(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        raise ComponentError(f"{file} does not exist; expected the output of schema_gen or schema_importer") from None


def parse_schema(text: str, name: str) -> schema_pb2.Schema:
    """Raises: ComponentError, with the line, for text that is no schema, and for a feature that is there twice."""
    schema = schema_pb2.Schema()
    try:
        text_format.Parse(text, schema)
    except text_format.ParseError as error:
        line = error.GetLine()
        where = f" line {line}" if line else ""
        raise ComponentError(f"{name}{where} is no TFMD schema (text format): {str(error).split(' : ')[-1]}") from None
    seen: set[str] = set()
    for feature in schema.feature:
        if feature.name in seen:
            raise ComponentError(f"{name}: feature {feature.name!r} is there twice")
        seen.add(feature.name)
    if not schema.feature:
        raise ComponentError(f"{name} has no feature; expected `feature {{ name: ... type: ... }}`")
    return schema

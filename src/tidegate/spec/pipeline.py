"""A pipeline's specification, as protobuf messages and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import struct_pb2

from tidegate.spec.messages import pb

PARAMETER_TYPES = {
    number: name
    for name, number in pb.ParameterType.ParameterTypeEnum.items()  # NUMBER_INTEGER, STRING, LIST, ...
}


_OLD_TYPES = {1: "NUMBER_INTEGER", 2: "NUMBER_DOUBLE", 3: "STRING"}
"""PrimitiveType, which kfp 2.0 betas wrote."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    name: str
    spec: pb.PipelineSpec
    deployment: pb.PipelineDeploymentConfig
    """The executors: `spec.deployment_spec`, parsed."""
    platforms: Mapping[str, Any] = field(default_factory=dict)
    """The second YAML document, if there is one: platform -> executor label -> settings."""
    where: str = ""
    """The file it came from, for messages."""


def plain(value: struct_pb2.Value) -> Any:
    """A protobuf Value as JSON; whole numbers stay floats, as the message has them."""
    match value.WhichOneof("kind"):
        case None | "null_value":
            return None
        case "struct_value":
            return {key: plain(item) for key, item in value.struct_value.fields.items()}
        case "list_value":
            return [plain(item) for item in value.list_value.values]
        case kind:
            return getattr(value, kind)


def parameter_type(declared: pb.ComponentInputsSpec.ParameterSpec | pb.ComponentOutputsSpec.ParameterSpec) -> str:
    """`NUMBER_INTEGER`, `STRING`, ...; the form of kfp 2.0 betas (`type: INT`) is read as well."""
    name = str(PARAMETER_TYPES.get(declared.parameter_type, ""))
    if name and name != "PARAMETER_TYPE_ENUM_UNSPECIFIED":
        return name
    return str(_OLD_TYPES.get(declared.type, "STRING"))


def typed(value: Any, type_name: str) -> Any:
    """A JSON value as its declared type has it: protobuf turns 3 into 3.0, and so do users' files."""
    if type_name == "NUMBER_INTEGER" and isinstance(value, float) and value.is_integer():
        return int(value)
    if type_name == "NUMBER_DOUBLE" and type(value) is int and abs(value) <= 2**53:
        return float(value)
    if type_name in ("LIST", "STRUCT"):
        return _whole(value)
    return value


def _whole(value: Any) -> Any:
    """Inside lists and structs there are no types: 3.0 came from 3, as KFP's own executor reads it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value

"""A pipeline's specification, as protobuf messages and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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


def parameter_type(declared: pb.ComponentInputsSpec.ParameterSpec | pb.ComponentOutputsSpec.ParameterSpec) -> str:
    """`NUMBER_INTEGER`, `STRING`, ...; the form of kfp 2.0 betas (`type: INT`) is read as well."""
    name = str(PARAMETER_TYPES.get(declared.parameter_type, ""))
    if name and name != "PARAMETER_TYPE_ENUM_UNSPECIFIED":
        return name
    return str(_OLD_TYPES.get(declared.type, "STRING"))

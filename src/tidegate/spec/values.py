"""The IR's types: how a value becomes one of a declared type, from protobuf, from a user's text, from another task."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tidegate.spec import json_text

if TYPE_CHECKING:
    from google.protobuf import struct_pb2  # who has values as messages has it; steps on a cluster do without

_NUMBERS = ("NUMBER_INTEGER", "NUMBER_DOUBLE")


class ValueMismatchError(ValueError):
    """A value that cannot be what is declared."""


def text_of(value: Any) -> str:
    """A value as text: what KFP's backend puts in place of a placeholder, and into inputs declared as strings.

    Numbers as Go's `FormatFloat(v, 'f', -1, 64)` has them: 2.0 is `2`, 1e-7 is `0.0000001`; lists and objects as Go's
    `json.Marshal` writes them: no spaces, keys sorted.
    """
    if isinstance(value, float) and math.isfinite(value):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def fit(value: Any, type_name: str, literals: Sequence[Any] = ()) -> Any:
    """A resolved value as an input of the declared type has it.

    As KFP's driver does it: strings take any value, as text; other types take their own. Beyond it, text that reads
    as the declared type is taken as such (items of a bare `list` are declared as strings on their way to an `int`).
    `literals`: the only values allowed, where the component declares a Literal. Raises: ValueMismatchError.
    """
    fitted = _fit(value, type_name)
    if literals and fitted not in literals:
        allowed = ", ".join(json.dumps(each) for each in literals)
        raise ValueMismatchError(f"expected one of {allowed}, found {shown(value)}")
    return fitted


def _fit(value: Any, type_name: str) -> Any:
    if type_name == "STRING":
        return text_of(value)
    if isinstance(value, str) and type_name in (*_NUMBERS, "BOOLEAN", "LIST", "STRUCT"):
        try:
            return convert(value, type_name)
        except ValueError:
            raise ValueMismatchError(f"expected {type_name}, found {shown(value)}") from None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "NUMBER_INTEGER": number,
        "NUMBER_DOUBLE": number,
        "BOOLEAN": isinstance(value, bool),
        "LIST": isinstance(value, list),
        "STRUCT": isinstance(value, dict),
    }
    if not fits.get(type_name, True):
        raise ValueMismatchError(f"expected {type_name}, found {shown(value)}")
    return typed(value, type_name)


def plain(value: struct_pb2.Value) -> Any:
    """A protobuf Value as JSON; whole numbers stay floats, as the message has them. A Struct keeps no order: by key."""
    match value.WhichOneof("kind"):
        case None | "null_value":
            return None
        case "struct_value":
            return {key: plain(item) for key, item in sorted(value.struct_value.fields.items())}
        case "list_value":
            return [plain(item) for item in value.list_value.values]
        case kind:
            return getattr(value, kind)


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


def convert(value: Any, type_name: str) -> Any:
    """`value` as the declared type. Raises: ValueError where it is not one."""
    text = isinstance(value, str)
    match type_name:
        case "STRING":
            if not text:
                raise ValueError
            return value
        case "NUMBER_INTEGER":
            if isinstance(value, bool):
                raise ValueError
            number = (int(value) if _is_integer(value) else float(value)) if text else value
            if (
                not isinstance(number, int | float)
                or int(number) != number
                or (isinstance(number, float) and abs(number) >= 2**53)
            ):
                raise ValueError
            return int(number)
        case "NUMBER_DOUBLE":
            if isinstance(value, bool):
                raise ValueError
            if not math.isfinite(number := float(value)):
                raise ValueError
            return number
        case "BOOLEAN":
            if text and value.lower() in ("true", "false"):
                return value.lower() == "true"
            if not isinstance(value, bool):
                raise ValueError
            return value
        case "LIST" | "STRUCT":
            decoded = json_text.parse(value) if text else value
            if not isinstance(decoded, list if type_name == "LIST" else dict):
                raise ValueError
            return typed(decoded, type_name)
    return value


def shown(value: Any) -> str:
    """A value in a message."""
    return json.dumps(value, default=str)[:80]


def _is_integer(text: str) -> bool:
    return text.strip().lstrip("+-").isdigit()

"""The conditions of the IR (`triggerPolicy.condition`): the part of CEL that KFP's compiler writes, read and evaluated.

disjunction := conjunction ('||' conjunction)*      comparison := unary (('=='|'!='|'<'|'<='|'>'|'>=') unary)?
conjunction := comparison ('&&' comparison)*        unary := '!' unary | primary
primary := '(' disjunction ')' | ('int'|'double'|'string'|'bool') '(' disjunction ')' | literal
         | inputs.parameter_values['name']
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>-?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
    | (?P<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
    | (?P<input>inputs\.parameter_values\[(?:'(?P<single>(?:\\.|[^'\\])*)'|"(?P<double>(?:\\.|[^"\\])*)")\])
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<operator>==|!=|<=|>=|&&|\|\||[<>!()])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.DOTALL)
_ESCAPES = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))  # CEL's
_KEPT = "\\?\"'`"
_QUOTED = re.compile(r"'(?:int\()?inputs\.parameter_values\[")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_LITERALS = {"true": True, "false": False, "null": None, "True": True, "False": False}
_MAX_DEPTH = 100


class ExpressionError(ValueError):
    """The condition is not one that KFP writes, or its values do not fit it."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed condition; `evaluate` it on the task's parameters."""

    text: str
    inputs: frozenset[str]
    """The parameters that it reads."""
    root: Node

    def evaluate(self, parameters: Mapping[str, Any]) -> bool:
        """Raises: ExpressionError for a value that is missing or of the wrong type."""
        return _truth(self.root.value(parameters))


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a condition: `literal`, `input`, a cast, or an operator."""

    operator: str
    arguments: tuple[Any, ...]

    def value(self, parameters: Mapping[str, Any]) -> Any:
        match self.operator:
            case "literal":
                return self.arguments[0]
            case "input":
                name = self.arguments[0]
                if name not in parameters:
                    raise ExpressionError(f"the condition reads {name!r}, which has no value")
                return parameters[name]
            case "&&":
                return all(_truth(part.value(parameters)) for part in self.arguments)
            case "||":
                return any(_truth(part.value(parameters)) for part in self.arguments)
            case "!":
                return not _truth(self.arguments[0].value(parameters))
            case "int" | "double" | "string" | "bool":
                return _cast(self.operator, self.arguments[0].value(parameters))
        left, right = (part.value(parameters) for part in self.arguments)
        return _compare(self.operator, left, right)


def parse(text: str) -> Expression:
    """Read a condition. Raises: ExpressionError with the place that is not understood."""
    reader = _Reader(text)
    root = reader.disjunction()
    reader.end()
    return Expression(text, frozenset(reader.inputs), root)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._split())
        self.at = 0
        self.depth = 0
        self.inputs: set[str] = set()

    def _split(self) -> Any:
        at, text = 0, self.text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._not_understood(text[at : at + 20])
            yield match
            at = match.end()

    def _operator(self, *wanted: str) -> str:
        if self.at < len(self.tokens) and (found := self.tokens[self.at]["operator"]) in wanted:
            self.at += 1
            return str(found)
        return ""

    def _not_understood(self, there: str) -> ExpressionError:
        if _QUOTED.search(self.text):
            return ExpressionError(
                f"condition {self.text!r}: kfp writes a comparison of text with a number or a boolean so that no "
                "engine can read it; make both sides text"
            )
        return ExpressionError(f"condition {self.text!r}: not understood at {there.strip()!r}")

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise self._not_understood(self.tokens[self.at][0])

    def _chain(self, operator: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self._operator(operator):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Node(operator, tuple(parts))

    def disjunction(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ExpressionError("condition: nested too deeply")
        node = self._chain("||", lambda: self._chain("&&", self._comparison))
        self.depth -= 1
        return node

    def _comparison(self) -> Node:
        left = self._unary()
        if operator := self._operator(*_COMPARE):
            return Node(operator, (left, self._unary()))
        return left

    def _unary(self) -> Node:
        negations = 0
        while self._operator("!"):
            negations += 1
        node = self._primary()
        return Node("!", (node,)) if negations % 2 else node

    def _primary(self) -> Node:
        if self._operator("("):
            return self._closed()
        if self.at >= len(self.tokens):
            raise ExpressionError(f"condition {self.text!r}: ends too early")
        token = self.tokens[self.at]
        self.at += 1
        if token["number"] is not None:
            number = token["number"]
            whole = number.lstrip("-").isdigit() and len(number) < 20
            return Node("literal", (int(number) if whole else float(number),))
        if token["string"] is not None:
            return Node("literal", (_unescape(token["string"][1:-1]),))
        if token["input"] is not None:
            name = _unescape(token["single"] if token["single"] is not None else token["double"])
            self.inputs.add(name)
            return Node("input", (name,))
        name = token["name"]
        if name in _LITERALS:
            return Node("literal", (_LITERALS[name],))
        if name in ("int", "double", "string", "bool") and self._operator("("):
            return Node(name, (self._closed(),))
        raise self._not_understood(token[0])

    def _closed(self) -> Node:
        node = self.disjunction()
        if not self._operator(")"):
            raise ExpressionError(f"condition {self.text!r}: a ')' is missing")
        return node


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_escaped, text) if "\\" in text else text


def _escaped(match: re.Match[str]) -> str:
    """One of CEL's escapes; kfp does not escape what authors write, so any other backslash stands for itself."""
    said = match[1]
    if said in _ESCAPES:
        return _ESCAPES[said]
    if said in _KEPT:
        return said
    if len(said) == 1:
        return match[0]
    code = int(said, 8) if said.isdigit() else int(said[1:], 16)
    return chr(code) if code < 0x110000 else match[0]


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ExpressionError(f"expected true or false, found {json.dumps(value, default=str)[:80]}")


def _cast(kind: str, value: Any) -> Any:
    try:
        match kind:
            case "int":
                return int(value) if not isinstance(value, str) else int(float(value))
            case "double":
                return float(value)
            case "bool":
                return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
        return value if isinstance(value, str) else json.dumps(value)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise ExpressionError(f"{kind}() of {json.dumps(value, default=str)[:80]}") from None


def _compare(operator: str, left: Any, right: Any) -> bool:
    kinds = {_kind(left), _kind(right)}
    if len(kinds) == 2:
        if operator in ("==", "!="):  # text against a value: by its JSON, as the IR carries untyped constants as text
            same = _text(left) == _text(right)
            return same if operator == "==" else not same
        raise ExpressionError(f"{_text(left)[:80]} {operator} {_text(right)[:80]}: different types")
    try:
        return _COMPARE[operator](left, right)
    except TypeError:
        raise ExpressionError(f"{_text(left)[:80]} {operator} {_text(right)[:80]}: not comparable") from None


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)

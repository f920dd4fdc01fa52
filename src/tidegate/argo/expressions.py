"""Argo's expressions (expr-lang): how values are read, turned and compared in the texts of a workflow.

An expression must hold no braces of its own where it stands in `{{=...}}`; all that comes from a pipeline goes in as a
literal of `literal`, which has none.
"""

from __future__ import annotations

import json
from typing import Any

from tidegate.graph.expressions import Node

_ESCAPED = 'replace(replace({}, "\\u007b\\u007b", "\\u007b\\\\u007b"), "$", "\\\\u0024")'
"""As `wire.escaped` does it."""
KINDS = {
    "NUMBER_INTEGER": "number",
    "NUMBER_DOUBLE": "number",
    "STRING": "str",
    "BOOLEAN": "bool",
    "LIST": "list",
    "STRUCT": "dict",
}
_ORDER = ("<", "<=", ">", ">=")


class Inexpressible(Exception):  # noqa: N818 - what it is
    """Argo cannot say this; the message says why."""


def tag(expression: str) -> str:
    """The expression as it stands in a manifest's text."""
    assert "{" not in expression and "}" not in expression, expression
    return "{{=" + expression + "}}"


def literal(text: str) -> str:
    """A string, as expr-lang has it, without braces."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted.replace("{", "\\u007b").replace("}", "\\u007d").replace("\x7f", "\\u007f")


def input_of(name: str) -> str:
    """The text of one of the template's own inputs."""
    return f"inputs.parameters['{name}']"


def output_of(task: str, name: str) -> str:
    """The text of a task's output; `null` where the task made none."""
    found = f"get(get(get(tasks['{task}'], 'outputs'), 'parameters'), '{name}')"
    return f'(({found} ?? "") == "" ? "null" : {found})'


def value(text: str) -> str:
    """The value that a text stands for."""
    return f"fromJSON({text})"


def given(text: str, reason: str) -> str:
    """The value that a text stands for; where there is none, an error that says so (`nodes.failure` finds it)."""
    return f'({text} == "null" ? fromJSON({literal(f"!{reason}!")}) : {value(text)})'


def dumped(expression: str) -> str:
    """The text of a value."""
    return _ESCAPED.format(f"toJson({expression})")


def first_of(texts: list[str]) -> str:
    """The first that is a value; else `null`."""
    *before, last = texts
    for text in reversed(before):
        last = f'({text} != "null" ? {text} : {last})'
    return last


def argument(name: str, type_name: str) -> str:
    """The text of a workflow's argument, which is what a person typed (see `wire.argument`)."""
    said = f"workflow.parameters['{name}']"
    bare = f'trimPrefix({said}, "json:")'
    if type_name == "STRING":
        return f'({said} startsWith "json:" ? {_ESCAPED.format(bare)} : {dumped(said)})'
    if type_name == "NUMBER_INTEGER":
        return f'({bare} == "null" ? "null" : string(int({bare})))'
    if type_name == "BOOLEAN":
        return f"toJson(fromJSON(lower({bare})))"
    return dumped(f"fromJSON({bare})")


def as_type(text: str, found: str, declared: str) -> str:
    """A text of type `found` as `declared`, as `spec.values.fit` would have it. `found`: empty where not known."""
    if found == declared or declared not in KINDS:
        return text
    inner = value(text)
    if declared == "STRING":
        if KINDS.get(found) in ("number", "bool"):
            return f'({text} == "null" ? "null" : toJson({text}))'
        return f'({text} == "null" ? "null" : type({inner}) == "string" ? {text} : {dumped(f"toJson({inner})")})'
    if found in KINDS and KINDS[found] != "str":
        return text
    return f'(type({inner}) == "string" ? {dumped(f"fromJSON({inner})")} : {text})'


def picked(text: str, path: tuple[str | int, ...]) -> str:
    """The text of what is inside of a value, or of the JSON in it."""
    inner = value(text)
    steps = "".join(f"[{literal(step) if isinstance(step, str) else step}]" for step in path)
    return dumped(f'(type({inner}) == "string" ? fromJSON({inner}) : {inner}){steps}')


def filled(parts: list[tuple[str, str, str]]) -> str:
    """The text of a string made of parts: (literal, "", "") or ("", the text of a value, its type)."""
    pieces = [literal(said) if not text else shown(text, type_name) for said, text, type_name in parts]
    return dumped("(" + " + ".join(pieces) + ")")


def shown(text: str, type_name: str) -> str:
    """A value as a string, as `spec.values.text_of` has it."""
    inner = value(text)
    if type_name == "STRING":
        return f'({inner} ?? "")'
    if type_name in ("NUMBER_INTEGER", "BOOLEAN"):
        return f'({text} == "null" ? "" : {text})'
    return f'({inner} == nil ? "" : type({inner}) == "string" ? {inner} : toJson({inner}))'


def item(items: str) -> str:
    """The text of the loop's current item. `items`: the text of the list."""
    return dumped(f"{_list(items)}[int(item)]")


def count(items: str) -> str:
    return f"string(len({_list(items)}))"


def _list(items: str) -> str:
    """A list, or a list as JSON in a string, as `graph.values.items_of` has it."""
    return f'(type({value(items)}) == "string" ? fromJSON({value(items)}) : {value(items)})'


def collected(task: str, name: str, artifacts: bool) -> str:
    """The text of the list of what a loop's iterations made, in order; lists of artifacts become one."""
    found = f"(get(get(get(tasks['{task}'], 'outputs'), 'parameters'), '{name}') ?? \"[]\")"
    each = '(type(#) == "string" ? # : toJson(#))'  # Argo gives lists of objects as such, all else as text
    texts = f'filter(map(fromJSON({found}), {each}), # != "null" && # != "")'
    if artifacts:
        texts = f'filter(map({texts}, trimSuffix(trimPrefix(#, "["), "]")), # != "")'
    return _ESCAPED.format(f'"[" + join({texts}, ",") + "]"')


def condition(node: Node, texts: dict[str, tuple[str, str]]) -> str:
    """A condition. `texts`: parameter -> the text of its value, and its type. Raises: Inexpressible."""
    return _Condition(texts).truth(node)


class _Condition:
    def __init__(self, texts: dict[str, tuple[str, str]]) -> None:
        self.texts = texts

    def truth(self, node: Node) -> str:
        found, kind = self.of(node)
        if kind != "bool":
            raise Inexpressible(f"expected true or false, found a {_word(kind)}")
        return found

    def of(self, node: Node) -> tuple[str, str]:
        """The expression, and what its value is."""
        match node.operator:
            case "literal":
                return _constant(node.arguments[0])
            case "input":
                text, type_name = self.texts[node.arguments[0]]
                reason = f"the condition reads {node.arguments[0]!r}, which has no value"
                return given(text, reason), KINDS.get(type_name, "any")
            case "&&" | "||" as operator:
                return "(" + f" {operator} ".join(self.truth(each) for each in node.arguments) + ")", "bool"
            case "!":
                return f"!({self.truth(node.arguments[0])})", "bool"
            case "int":
                found, kind = self.of(node.arguments[0])
                return f"int({f'float({found})' if kind == 'str' else found})", "number"
            case "double":
                return f"float({self.of(node.arguments[0])[0]})", "number"
            case "bool":
                found, kind = self.of(node.arguments[0])
                return (found, kind) if kind == "bool" else (f'(lower({found}) == "true")', "bool")
            case "string":
                return self.text(node.arguments[0]), "str"
        return self.compared(node), "bool"

    def compared(self, node: Node) -> str:
        left, right = node.arguments
        (one, kind), (other, other_kind) = self.of(left), self.of(right)
        if kind == other_kind and not (kind == "bool" and node.operator in _ORDER):
            return f"({one} {node.operator} {other})"
        if node.operator in _ORDER:
            raise Inexpressible(f"a {_word(kind)} {node.operator} a {_word(other_kind)}: make both sides one type")
        return f"({self.text(left)} {node.operator} {self.text(right)})"  # by their JSON, as `graph` compares

    def text(self, node: Node) -> str:
        """The value as text: a string itself, anything else as JSON."""
        found, kind = self.of(node)
        if kind == "str":
            return found
        if node.operator == "literal":
            return literal(json.dumps(node.arguments[0]))
        if node.operator == "input":
            return self.texts[node.arguments[0]][0]
        return f"toJson({found})"


def _constant(found: Any) -> tuple[str, str]:
    if found is None:
        return "nil", "null"
    if isinstance(found, bool):
        return json.dumps(found), "bool"
    return (literal(found), "str") if isinstance(found, str) else (json.dumps(found), "number")


def _word(kind: str) -> str:
    return {"str": "text", "bool": "boolean", "dict": "struct"}.get(kind, kind)

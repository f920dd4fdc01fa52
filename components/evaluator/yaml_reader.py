"""YAML whose every value knows its line, so that an error can say where to look. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import yaml

from tidegate.components.errors import ComponentError


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or all that is known."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(repr(c) for c in close)}?"
    return f"; there are: {', '.join(known)}" if known else ""


class Reader:
    """One node of the document."""

    def __init__(self, node: yaml.Node, document: str) -> None:
        self._node = node
        self._document = document
        self.line = node.start_mark.line + 1

    @classmethod
    def parse(cls, text: str, document: str) -> Reader:
        """Raises: ComponentError for what is not YAML, or is empty."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" line {mark.line + 1}" if mark else ""
            raise ComponentError(f"{document}{where}: not valid YAML: {getattr(error, 'problem', error)}") from None
        if node is None:
            raise ComponentError(f"{document} is empty; it needs at least label, task and requirements")
        return cls(node, document)

    def fail(self, message: str) -> NoReturn:
        raise ComponentError(f"{self._document} line {self.line}: {message}")

    def value(self) -> Any:
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(self._node, deep=True)
        finally:
            loader.dispose()

    def mapping(self, known: Iterable[str] | None = None) -> dict[str, Reader]:
        """The entries; with `known`, any other key is an error that names the near ones."""
        if not isinstance(self._node, yaml.MappingNode):
            self.fail(f"expected a mapping (key: value), found {self.value()!r}")
        found: dict[str, Reader] = {}
        for key_node, value_node in self._node.value:
            key = str(key_node.value)
            at = Reader(value_node, self._document)
            at.line = key_node.start_mark.line + 1
            if known is not None and key not in known:
                at.fail(f"unknown key {key!r}{near(key, known)}")
            if key in found:
                at.fail(f"{key!r} is given twice")
            found[key] = at
        return found

    def items(self) -> Iterator[Reader]:
        if not isinstance(self._node, yaml.SequenceNode):
            self.fail(f"expected a list, found {self.value()!r}")
        return (Reader(n, self._document) for n in self._node.value)

    def is_list(self) -> bool:
        return isinstance(self._node, yaml.SequenceNode)

    def is_mapping(self) -> bool:
        return isinstance(self._node, yaml.MappingNode)

    def text(self) -> str:
        value = self.value()
        if not isinstance(value, str) or not value:
            self.fail(f"expected text, found {value!r}")
        return value

    def number(self, low: float = float("-inf"), high: float = float("inf")) -> float:
        value = self.value()
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            self.fail(f"expected a number, found {value!r}")
        if not low <= value <= high:
            self.fail(f"expected a number from {low:g} to {high:g}, found {value:g}")
        return float(value)

    def one_of(self, choices: Iterable[str]) -> str:
        choices = list(choices)
        value = self.value()
        if value not in choices:
            self.fail(f"expected one of {', '.join(choices)}; found {value!r}{near(str(value), choices)}")
        return str(value)

    def texts(self) -> tuple[str, ...]:
        """A list of texts, or one text alone."""
        return tuple(r.text() for r in self.items()) if self.is_list() else (self.text(),)

"""Where the entries of a YAML mapping or list stand in its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode


@dataclass(frozen=True, slots=True)
class Entry:
    """`key: value` of a mapping, or `- value` of a list."""

    key: str | int
    value: Node
    start: int
    """Of the key, or of the dash."""
    end: int
    """Behind the last character of the value; comments after it are not part of it."""

    @property
    def plain(self) -> bool:
        """One scalar on one line, that can be replaced by another where it stands."""
        node = self.value
        return isinstance(node, ScalarNode) and node.style not in ("|", ">") and node.start_mark.index < self.end

    @property
    def quoted(self) -> bool:
        return isinstance(self.value, ScalarNode) and self.value.style == '"'


def entries(node: Any, text: str) -> list[Entry]:
    """In the order of the text; none of a scalar. Keys that are not text, and merged ones, are left out."""
    if isinstance(node, MappingNode):
        return [
            Entry(key.value, value, key.start_mark.index, _end(value, key.end_mark.index + 1, text))
            for key, value in node.value
            if isinstance(key, ScalarNode) and key.tag == "tag:yaml.org,2002:str"
        ]
    if not isinstance(node, CollectionNode):
        return []
    made: list[Entry] = []
    start = node.start_mark.index
    for index, value in enumerate(node.value):
        if made and not node.flow_style:
            dash = re.compile(rf"^ {{{node.start_mark.column}}}-", re.MULTILINE).search(text, made[-1].end)
            start = dash.end() - 1 if dash else value.start_mark.index
        made.append(Entry(index, value, start, _end(value, start + 1, text)))
    return made


def _end(node: Node, least: int, text: str) -> int:
    """A block collection's own end mark is where the next thing begins; its last scalar's is where the text ends."""
    if isinstance(node, CollectionNode) and not node.flow_style:
        pair = node.value[-1]
        key, last = pair if isinstance(pair, tuple) else (None, pair)
        return _end(last, key.end_mark.index + 1 if key else least, text)
    if node.start_mark.index == node.end_mark.index:  # nothing written: the mark is where the next thing begins
        return least
    end = int(node.end_mark.index)
    return len(text[:end].rstrip()) if isinstance(node, ScalarNode) and node.style in ("|", ">") else end

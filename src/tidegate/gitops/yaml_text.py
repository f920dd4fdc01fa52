"""Changes to YAML that leave every other byte as people wrote it: comments, order, quotes, layout. Pure.

The text is read as data, to see what differs from what is wanted, and as nodes with positions, to write just that. The
result is read again: a text that would not say exactly what is wanted is never returned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tidegate.gitops.yaml_nodes import Entry, entries

Path = tuple[str | int, ...]


class NotEditable(ValueError):  # noqa: N818
    """The text is no YAML, or is laid out in a way that cannot be changed in place; the message says where."""


class _Gone:
    """A value that is not to be there."""


_GONE = _Gone()


def documents(text: str) -> list[Any]:
    """The documents in the text as data. Raises: NotEditable."""
    try:
        return list(YAML(typ="safe", pure=True).load_all(text))
    except (YAMLError, ValueError) as error:
        raise NotEditable(f"expected YAML: {' '.join(str(error).split())}") from None


def edited(text: str, change: Callable[[Any], Any]) -> str:
    """The text with each document as `change` returns it. What is returned equal keeps every byte.

    `change` must leave alone what it is given. Raises: NotEditable.
    """
    now = documents(text)
    wanted = [change(document) for document in now]
    for _ in range(sum(1 for _ in _differences(now, wanted))):
        differing = list(_differences(now, wanted))
        if not differing:
            break
        path, value = differing[-1]
        try:
            text = _written(text, path, value, wanted)
            now = documents(text)
        except NotEditable:
            break
    if now == wanted and documents(text) == wanted:
        return text
    raise NotEditable(
        f"{_said(next(_differences(now, wanted))[0])}: expected a layout that can be changed in place; "
        "write what is an alias (*name) or a merged key (<<) out"
    )


def _differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What has to be written for `old` to be `new`, in the order of the text, additions and removals after the rest."""
    later: list[tuple[Path, Any]] = []
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old:
        for key in old:
            if key in new:
                yield from _differences(old[key], new[key], (*path, key))
            else:
                later.append(((*path, key), _GONE))
        later += reversed([((*path, key), new[key]) for key in new if key not in old])
    elif isinstance(old, list) and isinstance(new, list) and old and new:
        for index, (one, other) in enumerate(zip(old, new, strict=False)):
            yield from _differences(one, other, (*path, index))
        later += [((*path, index), _GONE) for index in range(len(new), len(old))]
        later += reversed([((*path, index), new[index]) for index in range(len(old), len(new))])
    elif type(old) is not type(new) or old != new:
        yield path, new
    yield from later


def _written(text: str, path: Path, value: Any, wanted: list[Any]) -> str:
    """The text with the value at `path` (document, key, ...) set, added or removed."""
    node: Any = list(YAML(pure=True).compose_all(text))[int(path[0])]
    for depth, key in enumerate(path[1:], 1):
        found = entries(node, text)
        entry = next((each for each in found if each.key == key), None)
        if depth < len(path) - 1 and entry:
            node = entry.value
            continue
        if not found:
            break
        if node.flow_style and not (entry and entry.plain and _scalar(value)):
            start, end = node.start_mark.index, node.end_mark.index
            return text[:start] + _flow(_at(wanted, path[:depth]), text[start:end]) + text[end:]
        return _block(text, node, found, entry, key, value)
    raise NotEditable("not in this text")


def _block(text: str, parent: Any, found: list[Entry], entry: Entry | None, key: str | int, value: Any) -> str:
    """One entry of a mapping or list in block style."""
    column = parent.start_mark.column
    if entry is None:
        after = _line_end(text, found[-1].end)
        return f"{text[:after]}\n{' ' * column}{_entry(key, value, column)}{text[after:]}"
    if value is _GONE:
        return _without(text, found, entry)
    if entry.plain and _scalar(value):
        start, end = entry.value.start_mark.index, entry.value.end_mark.index
        return text[:start] + _inline(value, quoted=entry.quoted) + text[end:]
    return text[: entry.start] + _entry(key, value, column) + text[entry.end :]


def _without(text: str, found: list[Entry], entry: Entry) -> str:
    """Its lines go; where it shares its first line with a `- `, the next entry takes the place."""
    line = text.rfind("\n", 0, entry.start) + 1
    if text[line : entry.start].strip():
        following = next((each for each in found if each.start > entry.start), None)
        return text[: entry.start] + (text[following.start :] if following else "{}" + text[entry.end :])
    if len(found) == 1:
        return text[: entry.start] + ("[]" if isinstance(entry.key, int) else "{}") + text[entry.end :]
    end = _line_end(text, entry.end)
    return text[:line] + text[end + 1 :]


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


class _Dumper(yaml.SafeDumper):
    """Writes what readers of YAML 1.1 (Kubernetes') and of 1.2 take for the same; what may be a number is quoted."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "'" if value[:1].isdigit() or value[:1] in ("-", "+", ".") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, '"' if "\n" in value else style)


_Dumper.add_representer(str, _text)


def _dumped(value: Any, flow: bool = False) -> str:
    said: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=flow, sort_keys=False, width=10**9, allow_unicode=True
    )
    return said.removesuffix("...\n").strip("\n")


def _entry(key: str | int, value: Any, column: int) -> str:
    """`key: value` or `- value`, further lines indented for `column`."""
    return _dumped([value] if isinstance(key, int) else {key: value}).replace("\n", "\n" + " " * column)


def _inline(value: Any, quoted: bool) -> str:
    """A scalar on one line."""
    return json.dumps(value, ensure_ascii=False) if quoted and isinstance(value, str) else _dumped(value, flow=True)


def _flow(value: Any, before: str) -> str:
    """On one line; as JSON where it was JSON before."""
    try:
        json.loads(before)
    except ValueError:
        return _dumped(value, flow=True)
    return json.dumps(value, ensure_ascii=False)


def _scalar(value: Any) -> bool:
    return value is not _GONE and not isinstance(value, (Mapping, list))


def _at(wanted: Any, path: Path) -> Any:
    for key in path:
        wanted = wanted[key]
    return wanted


def _said(path: Path) -> str:
    return f"document {int(path[0]) + 1}: " + ".".join(str(part) for part in path[1:])

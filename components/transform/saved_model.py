"""Makes a SavedModel's bytes depend on its content alone, so that equal inputs give equal artifacts.

TensorFlow numbers functions, tables and datasets by counters of the process, writes nodes and functions in the order of
hash maps, names tables after the temporary files that they were read from, and puts a random id into fingerprint.pb.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tensorflow.core.framework import attr_value_pb2, function_pb2, graph_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2, saved_object_graph_pb2

_FUNCTION = re.compile(r"(.*_)(\d+)$")
_COUNTER = re.compile(r"\d+$")
Rename = Callable[[str], str]


def normalise(folder: Path, temporary: Path) -> None:
    """Rewrite `folder`/saved_model.pb. `temporary`: the folder whose path must not be in it."""
    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph in model.meta_graphs:
        graph = meta_graph.graph_def
        functions = _renaming(function.signature.name for function in graph.library.function)
        _renumber_tables(graph)
        _rename_graph(graph, functions, str(temporary).encode())
        _rename_objects(meta_graph.object_graph_def, functions)
        _sort(graph)
    file.write_bytes(model.SerializeToString(deterministic=True))
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def _renaming(names: Iterable[str]) -> Rename:
    """Number functions from 0, in the order in which they were made."""
    numbered = {name: match for name in names if (match := _FUNCTION.match(name))}
    ordered = sorted(numbered, key=lambda name: (int(numbered[name][2]), name))
    new = {name: f"{numbered[name][1]}{number}" for number, name in enumerate(ordered)}
    return lambda name: new.get(name, name)


def _renumber_tables(graph: graph_pb2.GraphDef) -> None:
    """Tables without a file share a mere number as their name: number them from 0, in their order."""
    shared = [node.attr["shared_name"] for node in _nodes(graph) if "shared_name" in node.attr]
    shared = [name for name in shared if name.s.isdigit()]
    new = {name: number for number, name in enumerate(sorted({int(name.s) for name in shared}))}
    for name in shared:
        name.s = str(new[int(name.s)]).encode()


def _nodes(graph: graph_pb2.GraphDef) -> Iterator[node_def_pb2.NodeDef]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _sort(graph: graph_pb2.GraphDef) -> None:
    """Nodes and functions are sets; their order means nothing."""
    for function in graph.library.function:
        _sort_by(function.node_def, lambda node: node.name)
    _sort_by(graph.node, lambda node: node.name)
    _sort_by(graph.library.function, lambda function: function.signature.name)


def _sort_by(repeated: Any, key: Callable[[Any], str]) -> None:
    ordered = sorted(repeated, key=key)
    del repeated[:]
    repeated.extend(ordered)


def _rename_graph(graph: graph_pb2.GraphDef, rename: Rename, hidden: bytes) -> None:
    for node in _nodes(graph):
        node.op = rename(node.op)
        if "Dataset" in node.op and "metadata" in node.attr:
            node.attr["metadata"].s = b""  # a name for debugging
        for value in node.attr.values():
            _rename_value(value, rename, hidden)
    for function in graph.library.function:
        function.signature.name = rename(function.signature.name)
        for value in function.attr.values():
            _rename_value(value, rename, hidden)
        _rename_captures(function)
    for gradient in graph.library.gradient:
        gradient.function_name = rename(gradient.function_name)
        gradient.gradient_func = rename(gradient.gradient_func)


def _rename_captures(function: function_pb2.FunctionDef) -> None:
    """Unnamed constants that a function captured are named after the process's counter: number them by position."""
    new: dict[str, str] = {}
    for position, argument in enumerate(function.signature.input_arg):
        attributes = function.arg_attr[position].attr if position in function.arg_attr else {}
        given = attributes["_user_specified_name"].s if "_user_specified_name" in attributes else b""
        if given and not given.isdigit():
            continue
        if given:
            attributes["_user_specified_name"].s = str(position).encode()
        new[argument.name] = _COUNTER.sub(f"captured_{position}", argument.name)
        argument.name = new[argument.name]
    if new:
        for node in function.node_def:
            node.input[:] = [new.get(name, name) for name in node.input]
        for name, value in function.ret.items():
            function.ret[name] = new.get(value, value)


def _rename_value(value: attr_value_pb2.AttrValue, rename: Rename, hidden: bytes) -> None:
    kind = value.WhichOneof("value")
    if kind == "func":
        value.func.name = rename(value.func.name)
    elif kind == "list":
        for function in value.list.func:
            function.name = rename(function.name)
    elif kind == "s":
        value.s = value.s.replace(hidden, b"")
    elif kind == "tensor" and value.tensor.string_val:
        value.tensor.string_val[:] = [text.replace(hidden, b"") for text in value.tensor.string_val]


def _rename_objects(objects: saved_object_graph_pb2.SavedObjectGraph, rename: Rename) -> None:
    for node in objects.nodes:
        kind = node.WhichOneof("kind")
        if kind == "function":
            node.function.concrete_functions[:] = map(rename, node.function.concrete_functions)
        elif kind == "bare_concrete_function":
            concrete = node.bare_concrete_function
            concrete.concrete_function_name = rename(concrete.concrete_function_name)
    for name in list(objects.concrete_functions):
        if rename(name) != name:
            objects.concrete_functions[rename(name)].CopyFrom(objects.concrete_functions[name])
            del objects.concrete_functions[name]

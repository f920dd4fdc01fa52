"""Makes a SavedModel's bytes depend on its content alone, so that equal inputs give equal artifacts.

TensorFlow numbers functions by a counter of the process, writes the function library in the order of a hash map, names
tables after the temporary files that they were read from, and puts a random id into fingerprint.pb.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from tensorflow.core.framework import attr_value_pb2, function_pb2, graph_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2, saved_object_graph_pb2

_FUNCTION = re.compile(r"(__(?:inference|forward|backward)_.+?_)(\d+)$")
_COUNTER = re.compile(r"\d+$")
Rename = Callable[[str], str]


def normalise(folder: Path, temporary: Path) -> None:
    """Rewrite `folder`/saved_model.pb. `temporary`: the folder whose path must not be in it."""
    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    hidden = str(temporary).encode()
    for meta_graph in model.meta_graphs:
        graph = meta_graph.graph_def
        rename = _renaming(function.signature.name for function in graph.library.function)
        _rename_graph(graph, rename, hidden)
        _rename_objects(meta_graph.object_graph_def, rename)
    file.write_bytes(model.SerializeToString(deterministic=True))
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def _renaming(names: Iterable[str]) -> Rename:
    """Number functions from 0, in the order in which they were made."""
    numbered = {name: match for name in names if (match := _FUNCTION.match(name))}
    ordered = sorted(numbered, key=lambda name: (int(numbered[name][2]), name))
    new = {name: f"{numbered[name][1]}{number}" for number, name in enumerate(ordered)}
    return lambda name: new.get(name, name)


def _rename_graph(graph: graph_pb2.GraphDef, rename: Rename, hidden: bytes) -> None:
    for node in graph.node:
        _rename_node(node, rename, hidden)
    for function in graph.library.function:
        function.signature.name = rename(function.signature.name)
        for node in function.node_def:
            _rename_node(node, rename, hidden)
        for value in function.attr.values():
            _rename_value(value, rename, hidden)
        _rename_captures(function)
    for gradient in graph.library.gradient:
        gradient.function_name = rename(gradient.function_name)
        gradient.gradient_func = rename(gradient.gradient_func)
    functions = sorted(graph.library.function, key=lambda function: function.signature.name)
    del graph.library.function[:]
    graph.library.function.extend(functions)


def _rename_captures(function: function_pb2.FunctionDef) -> None:
    """Unnamed constants that a function captured are named after the process's counter: number them by position."""
    new: dict[str, str] = {}
    for position, described in function.arg_attr.items():
        given = described.attr["_user_specified_name"].s if "_user_specified_name" in described.attr else b""
        argument = function.signature.input_arg[position]
        if given.isdigit():
            described.attr["_user_specified_name"].s = str(position).encode()
            new[argument.name] = _COUNTER.sub(f"captured_{position}", argument.name)
            argument.name = new[argument.name]
    if new:
        for node in function.node_def:
            node.input[:] = [new.get(name, name) for name in node.input]
        for name, value in function.ret.items():
            function.ret[name] = new.get(value, value)


def _rename_node(node: node_def_pb2.NodeDef, rename: Rename, hidden: bytes) -> None:
    node.op = rename(node.op)
    for value in node.attr.values():
        _rename_value(value, rename, hidden)


def _rename_value(value: attr_value_pb2.AttrValue, rename: Rename, hidden: bytes) -> None:
    kind = value.WhichOneof("value")
    if kind == "func":
        value.func.name = rename(value.func.name)
    elif kind == "list":
        for function in value.list.func:
            function.name = rename(function.name)
    elif kind == "s" and hidden in value.s:
        value.s = value.s.replace(hidden, b"")
    elif kind == "tensor" and any(hidden in text for text in value.tensor.string_val):
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

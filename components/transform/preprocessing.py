"""The user's preprocessing_fn as TensorFlow graphs: traced once to analyse, once a later phase, once more to save."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import logging
from tensorflow.python.eager.wrap_function import VariableHolder, WrappedFunction
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import annotators, graph_context, graph_tools, impl_helper, schema_inference, tf2_utils
from tensorflow_transform.saved import saved_transform_io_v2

from tidegate.components.errors import ComponentError

Tensors = Mapping[str, Any]
Replacements = Mapping[str, tf.Tensor]
"""Tensor name -> the value that an analyzer found for it."""
Applied = Callable[[Tensors], Mapping[str, Any]]


def with_config(function: Callable[..., Any], custom_config: Mapping[str, Any]) -> Callable[[Any], Any]:
    """TFX's rule: a preprocessing_fn that takes `custom_config` is given it."""
    if "custom_config" in inspect.signature(function).parameters:
        return partial(function, custom_config=dict(custom_config))
    return function


@dataclass(frozen=True, slots=True)
class _Traced:
    concrete: Any
    module: tf.Module
    """Holds the tables that the function looks into."""


class Preprocessing:
    """`preprocessing_fn` for inputs of these types. Temporary vocabulary files go to `folder`."""

    def __init__(self, function: Callable[[Any], Any], specs: Mapping[str, tf.TypeSpec], folder: Path) -> None:
        """Raises: ComponentError for a function that returns no features; whatever the function itself raises."""
        self._function, self._specs, self._folder = function, dict(specs), str(folder)
        context = graph_context.TFGraphContext(tf.Module(), self._folder, evaluated_replacements=None)
        with annotators.object_tracker_scope(annotators.ObjectTracker()):
            traced = impl_helper.get_traced_transform_fn(function, self._specs, context)
            self._concrete = traced.get_concrete_function()
        self.graph = self._concrete.graph
        self.inputs = tf2_utils.get_structured_inputs_from_func_graph(self.graph)
        self.outputs = self._concrete.structured_outputs
        if not isinstance(self.outputs, dict) or not self.outputs:
            raise ComponentError(
                f"preprocessing_fn returned {self.outputs!r}; expected a dict of at least one feature name -> tensor"
            )
        if self.graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES):
            raise ComponentError(
                "preprocessing_fn makes trainable variables; a transform is not trained: make constants"
            )
        self.assets = annotators.get_asset_annotations(self.graph)
        annotators.clear_asset_annotations(self.graph)
        self._fingerprint = graph_tools.get_analyzers_fingerprint(self.graph, self.inputs)

    def phase(self, wanted: Mapping[str, tf.Tensor], replacements: Replacements) -> Applied:
        """A function from inputs to the tensors that analyzers of one phase read, earlier ones' values in place."""
        if not replacements:
            return self._pruned(wanted)
        traced = self._trace(replacements, {key: tensor.name for key, tensor in wanted.items()})
        return lambda inputs: traced.concrete(dict(inputs))

    def _pruned(self, wanted: Mapping[str, tf.Tensor]) -> Applied:
        """The traced graph itself, cut down to `wanted`: saves tracing it again."""
        whole = WrappedFunction(self.graph, variable_holder=VariableHolder(share_variables=True))
        signature = self._concrete.structured_input_signature
        pruned = whole.prune(self._concrete.inputs, dict(wanted), input_signature=signature)
        return lambda inputs: pruned(*tf.nest.flatten(dict(inputs), expand_composites=True))

    def _trace(self, replacements: Replacements, names: Mapping[str, str] | None = None) -> _Traced:
        module = tf.Module()
        context = graph_context.TFGraphContext(module, self._folder, evaluated_replacements=dict(replacements))
        function = impl_helper.get_traced_transform_fn(self._function, self._specs, context, names)
        concrete = saved_transform_io_v2.trace_and_update_module(
            module, function, "transform_fn", strip_control_dependencies=False
        )
        return _Traced(concrete, module)

    def save(self, replacements: Replacements, folder: Path) -> tuple[Applied, schema_pb2.Schema]:
        """Write the SavedModel of the whole preprocessing_fn, every analyzer replaced by its value.

        Returns: the same as a function, and the schema of what it puts out.
        Raises: RuntimeError where analyzers came in another order than when first traced.
        """
        traced = self._trace(replacements)
        inputs = tf2_utils.get_structured_inputs_from_func_graph(traced.concrete.graph)
        with _quiet():  # warns of phases, whose graphs differ by design
            impl_helper._validate_analyzers_fingerprint(self._fingerprint, traced.concrete.graph, inputs)
        tf.saved_model.save(traced.module, str(folder))
        context = graph_context.TFGraphContext(tf.Module(), self._folder, evaluated_replacements=dict(replacements))
        metadata = schema_inference.get_traced_metadata_fn(
            self._function, inputs, context, evaluate_schema_overrides=True
        )
        schema = schema_inference.infer_feature_schema_v2(
            traced.concrete.structured_outputs, metadata, evaluate_schema_overrides=True
        )
        return lambda features: traced.concrete(dict(features)), schema


@contextmanager
def _quiet() -> Iterator[None]:
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)

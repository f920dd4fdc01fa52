"""TFX's FnArgs, filled as TFX's trainer and tuner fill them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord import split_folder, split_paths
from tidegate.components.tfx_modules import lazily

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

HYPERPARAMETERS = "best_hyperparameters.txt"


def fn_args(
    examples: str | Path,
    train_splits: Sequence[str] = ("train",),
    eval_splits: Sequence[str] = ("eval",),
    schema: str | Path | None = None,
    transform_graph: str | Path | None = None,
    hyperparameters: str | Path | None = None,
    base_model: str | Path | None = None,
    model: str | Path | None = None,
    model_run: str | Path | None = None,
    train_steps: int = 0,
    eval_steps: int = 0,
    custom_config: Mapping[str, Any] | None = None,
    working_dir: str | Path | None = None,
) -> FnArgs:
    """What run_fn and tuner_fn are given; 0 steps become None, as in TFX.

    Raises: ComponentError for splits that are not there, or hyperparameters that cannot be read.
    """
    lazily.install()
    from tfx.components.trainer.fn_args_utils import DataAccessor, FnArgs

    from tidegate.components.tfx_modules.datasets import factory, record_batches

    schema_file = str(Path(schema) / "schema.pbtxt") if schema else None
    evaluated = _patterns(examples, eval_splits)
    graph = str(transform_graph) if transform_graph else None
    return FnArgs(
        working_dir=str(working_dir) if working_dir else None,
        train_files=_patterns(examples, train_splits),
        eval_files=evaluated,
        train_steps=train_steps or None,
        eval_steps=eval_steps or None,
        schema_path=schema_file,
        schema_file=schema_file,
        transform_graph_path=graph,
        transform_output=graph,
        data_accessor=DataAccessor(factory(evaluated), record_batches, None),
        serving_model_dir=str(Path(model) / "Format-Serving") if model else None,
        eval_model_dir=str(Path(model) / "Format-TFMA") if model else None,
        model_run_dir=str(model_run) if model_run else None,
        base_model=_serving(base_model),
        hyperparameters=_hyperparameters(hyperparameters),
        custom_config=dict(custom_config) if custom_config else None,
    )


def _patterns(examples: str | Path, splits: Sequence[str]) -> list[str]:
    for split in splits:
        split_paths(examples, split)
    return [str(split_folder(examples, split) / "*") for split in splits]


def _serving(base_model: str | Path | None) -> str | None:
    """None where there is no model to start from: an empty artifact is how the resolver says so."""
    for place in (Path(base_model) / "Format-Serving", Path(base_model)) if base_model else ():
        if (place / "saved_model.pb").is_file() or (place / "keras_metadata.pb").is_file():
            return str(place)
    return None


def _hyperparameters(artifact: str | Path | None) -> dict[str, Any] | None:
    if not artifact:
        return None
    file = Path(artifact) / HYPERPARAMETERS
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ComponentError(f"{file} cannot be read: {error}; expected the output of tuner") from None
    if not isinstance(found, dict):
        raise ComponentError(f"{file} holds a {type(found).__name__}; expected a KerasTuner HyperParameters config")
    return found

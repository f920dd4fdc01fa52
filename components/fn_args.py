"""TFX's FnArgs: what a user's run_fn or tuner_fn is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord import split_folder, split_paths


def fn_args(
    *,
    examples: str | Path,
    working_dir: str | Path,
    schema: str | Path | None = None,
    transform_graph: str | Path | None = None,
    hyperparameters: str | Path | None = None,
    base_model: str | Path | None = None,
    model: str | Path | None = None,
    model_run: str | Path | None = None,
    train_steps: int = 0,
    eval_steps: int = 0,
    custom_config: Mapping[str, Any] | None = None,
    train_splits: tuple[str, ...] = ("train",),
    eval_splits: tuple[str, ...] = ("eval",),
) -> Any:
    """A real `tfx.components.FnArgs`, from the folders of artifacts.

    train_steps, eval_steps: 0 means None, as in TFX. model: the Model's folder; serving_model_dir is in it.
    Raises: ComponentError for a split, schema or base model that is not there.
    """
    from tfx.components.trainer.fn_args_utils import DataAccessor, FnArgs

    schema_path = _schema_file(schema) if schema else None
    folder = Path(model) if model else None
    return FnArgs(
        working_dir=str(working_dir),
        train_files=[_pattern(examples, split) for split in train_splits],
        eval_files=[_pattern(examples, split) for split in eval_splits],
        train_steps=train_steps or None,
        eval_steps=eval_steps or None,
        schema_path=schema_path,
        schema_file=schema_path,
        transform_graph_path=str(transform_graph) if transform_graph else None,
        transform_output=str(transform_graph) if transform_graph else None,
        data_accessor=DataAccessor(
            tf_dataset_factory=_dataset, record_batch_factory=_record_batches, data_view_decode_fn=None
        ),
        serving_model_dir=str(folder / "Format-Serving") if folder else None,
        eval_model_dir=str(folder / "Format-TFMA") if folder else None,
        model_run_dir=str(model_run) if model_run else None,
        base_model=_base_model(base_model),
        hyperparameters=_hyperparameters(hyperparameters),
        custom_config=dict(custom_config or {}),
    )


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """The user's function, its warnings of deprecation silenced: they are TFX's and Keras's own, not the user's."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


def _pattern(examples: str | Path, split: str) -> str:
    split_paths(examples, split)  # says which splits there are, if this one is not
    return str(split_folder(examples, split) / "*")


def _schema_file(schema: str | Path) -> str:
    path = Path(schema)
    path = path / "schema.pbtxt" if path.is_dir() else path
    if not path.is_file():
        raise ComponentError(f"{schema} holds no schema.pbtxt")
    return str(path)


def _base_model(base_model: str | Path | None) -> str | None:
    if base_model is None:
        return None
    folder = Path(base_model)
    serving = folder / "Format-Serving" if (folder / "Format-Serving").is_dir() else folder
    return str(serving) if (serving / "saved_model.pb").is_file() else None


def _hyperparameters(folder: str | Path | None) -> dict[str, Any] | None:
    if folder is None:
        return None
    path = Path(folder) / "best_hyperparameters.txt"
    if not path.is_file():
        raise ComponentError(f"{folder} holds no best_hyperparameters.txt: expected the tuner's output")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _tfxio(file_pattern: Any, schema: Any) -> Any:
    from tfx_bsl.tfxio import tf_example_record

    return tf_example_record.TFExampleRecord(file_pattern, telemetry_descriptors=["tidegate"], schema=schema)


def _dataset(file_pattern: Any, options: Any, schema: Any = None) -> Any:
    """TFX's tf_dataset_factory: batches of parsed examples, as `options` say."""
    return _tfxio(file_pattern, schema).TensorFlowDataset(options)


def _record_batches(file_pattern: Any, options: Any, schema: Any = None) -> Iterator[Any]:
    """TFX's record_batch_factory."""
    return _tfxio(file_pattern, schema).RecordBatches(options)  # type: ignore[no-any-return]

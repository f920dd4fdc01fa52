"""The KFP component `trainer`."""

from typing import Dict, List  # noqa: UP035

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import Examples, HyperParameters, ModelRun, Schema, TransformGraph


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def trainer(
    examples: dsl.Input[Examples],
    module: Dict,  # noqa: UP006
    model: dsl.Output[dsl.Model],
    model_run: dsl.Output[ModelRun],
    schema: dsl.Input[Schema] = None,
    transform_graph: dsl.Input[TransformGraph] = None,
    hyperparameters: dsl.Input[HyperParameters] = None,
    base_model: dsl.Input[dsl.Model] = None,
    raw_examples: dsl.Input[Examples] = None,
    train_splits: List[str] = ["train"],  # noqa: B006, UP006
    eval_splits: List[str] = ["eval"],  # noqa: B006, UP006
    train_steps: int = 0,
    eval_steps: int = 0,
    custom_config: Dict = {},  # noqa: B006, UP006
    seed: int = 42,
    sample_requests: int = 32,
):
    """Train a model with the user's run_fn(fn_args), as TFX's Trainer does.

    Args:
        examples: transformed examples, or raw ones.
        module: the file with `run_fn(fn_args)`, and its helpers.
        model: Format-Serving/ (the SavedModel) and Samples/ (requests, and the answers of this process).
        model_run: history.json and TensorBoard logs.
        schema: of the raw examples.
        transform_graph: transform's.
        hyperparameters: tuner's; fn_args.hyperparameters.
        base_model: where to start from (`latest_blessed_model`); fn_args.base_model is None if there is none yet.
        raw_examples: for Samples/, where `examples` are transformed.
        train_splits: fn_args.train_files.
        eval_splits: fn_args.eval_files.
        train_steps: fn_args.train_steps; 0: None.
        eval_steps: fn_args.eval_steps; 0: None.
        custom_config: fn_args.custom_config.
        seed: of Python, NumPy and TensorFlow.
        sample_requests: how many requests Samples/ has; 0: none.
    """
    from tidegate.components.trainer.work import train

    done = train(
        examples=examples.path,
        module=module,
        model=model.path,
        model_run=model_run.path,
        schema=schema.path if schema else None,
        transform_graph=transform_graph.path if transform_graph else None,
        hyperparameters=hyperparameters.path if hyperparameters else None,
        base_model=base_model.path if base_model else None,
        raw_examples=raw_examples.path if raw_examples else None,
        train_splits=train_splits,
        eval_splits=eval_splits,
        train_steps=train_steps,
        eval_steps=eval_steps,
        custom_config=custom_config,
        seed=seed,
        sample_requests=sample_requests,
    )
    model.metadata["framework"] = "tensorflow"
    model.metadata["parameters"] = done.parameters
    model.metadata["signatures"] = done.signatures
    model.metadata["metrics"] = done.metrics
    model.metadata["samples"] = done.samples
    model.metadata["cpu_seconds"] = done.cpu_seconds
    model.metadata["span"] = examples.metadata.get("span", -1)
    model_run.metadata["epochs"] = done.epochs
    model_run.metadata["metrics"] = done.metrics

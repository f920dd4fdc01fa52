"""The KFP component `trainer`."""

from typing import Dict  # noqa: UP035

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
    train_steps: int = 0,
    eval_steps: int = 0,
    custom_config: Dict = {},  # noqa: B006, UP006
    seed: int = 42,
    sample_requests: int = 32,
):
    """Run the user's run_fn(fn_args) as TFX does.

    Args:
        examples: what to train on, transformed or raw; splits train and eval.
        module: a user module with run_fn, by tidegate.module_files.
        model: Format-Serving/, and Samples/: requests with the model's own answers.
        model_run: TensorBoard logs and history.json, the training curves.
        schema: for fn_args.schema_path.
        transform_graph: for fn_args.transform_graph_path.
        hyperparameters: the tuner's, for fn_args.hyperparameters.
        base_model: warm start from this one; latest_blessed_model gives the last that went live.
        raw_examples: where `examples` are transformed, the raw ones, for Samples/.
        train_steps: for fn_args; 0: None.
        eval_steps: for fn_args; 0: None.
        custom_config: for fn_args.
        seed: of Python, numpy and TensorFlow.
        sample_requests: how many Samples/ has.
    """
    from tidegate.components.trainer.work import train

    said = train(
        examples=examples.path,
        module=module,
        model=model.path,
        model_run=model_run.path,
        schema=schema.path if schema else None,
        transform_graph=transform_graph.path if transform_graph else None,
        hyperparameters=hyperparameters.path if hyperparameters else None,
        base_model=base_model.path if base_model and base_model.metadata.get("found", True) else None,
        raw_examples=raw_examples.path if raw_examples else None,
        train_steps=train_steps,
        eval_steps=eval_steps,
        custom_config=custom_config,
        seed=seed,
        sample_requests=sample_requests,
    )
    model.metadata.update(said)
    model.metadata["span"] = examples.metadata.get("span", -1)

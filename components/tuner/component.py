"""The KFP component `tuner`."""

from typing import Dict  # noqa: UP035

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import Examples, HyperParameters, Schema, TransformGraph


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def tuner(
    examples: dsl.Input[Examples],
    module: Dict,  # noqa: UP006
    best_hyperparameters: dsl.Output[HyperParameters],
    tuning: dsl.Output[dsl.Artifact],
    schema: dsl.Input[Schema] = None,
    transform_graph: dsl.Input[TransformGraph] = None,
    train_steps: int = 0,
    eval_steps: int = 0,
    custom_config: Dict = {},  # noqa: B006, UP006
    trials: int = 10,
    parallel: int = 0,
    seed: int = 42,
):
    """Search hyperparameters with the user's tuner_fn(fn_args) (Keras Tuner) or objective_fn(trial, fn_args) (Optuna).

    Args:
        examples: what to train on, transformed or raw; splits train and eval.
        module: a user module with one of the two functions, by tidegate.module_files.
        best_hyperparameters: best_hyperparameters.txt, for the trainer.
        tuning: summary.json: every trial with its parameters, value and seconds.
        schema: for fn_args.schema_path.
        transform_graph: for fn_args.transform_graph_path.
        train_steps: for fn_args; 0: None.
        eval_steps: for fn_args; 0: None.
        custom_config: for fn_args.
        trials: how many, with Optuna; a Keras Tuner says so itself.
        parallel: trials at the same time, with Optuna; 0: one a core.
        seed: of the search and of each training.
    """
    from tidegate.components.tuner.work import tune

    found = tune(
        examples=examples.path,
        module=module,
        best_hyperparameters=best_hyperparameters.path,
        tuning=tuning.path,
        schema=schema.path if schema else None,
        transform_graph=transform_graph.path if transform_graph else None,
        train_steps=train_steps,
        eval_steps=eval_steps,
        custom_config=custom_config,
        trials=trials,
        parallel=parallel,
        seed=seed,
    )
    best_hyperparameters.metadata["objective"] = found.objective
    best_hyperparameters.metadata["value"] = found.best_value
    tuning.metadata["trials"] = len(found.trials)

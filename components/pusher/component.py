"""The KFP component `pusher`."""

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import (
    Examples,
    ExampleStatistics,
    InfraBlessing,
    ModelBlessing,
    ModelEvaluation,
    ModelRun,
    PushedModel,
    Schema,
)


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def pusher(
    model: dsl.Input[dsl.Model],
    destination: str,
    name: str,
    pushed_model: dsl.Output[PushedModel],
    blessing: dsl.Input[ModelBlessing] = None,
    infra_blessing: dsl.Input[InfraBlessing] = None,
    schema: dsl.Input[Schema] = None,
    statistics: dsl.Input[ExampleStatistics] = None,
    evaluation: dsl.Input[ModelEvaluation] = None,
    examples: dsl.Input[Examples] = None,
    model_run: dsl.Input[ModelRun] = None,
    signing_key: str = "",
    require_signature: bool = False,
):
    """Push a blessed model as an immutable, signed version with a model card; skip one that is not blessed.

    Args:
        model: the model.
        destination: the folder that holds all pushed models.
        name: the model's name in it.
        pushed_model: the card, and where the version is.
        blessing: the evaluator's.
        infra_blessing: infra_validator's.
        schema: for the card, as are the following.
        signing_key: path of an elliptic-curve private key (PEM); empty: not signed.
        require_signature: refuse to push without a key.
    """
    from pathlib import Path

    from tidegate.components.pusher.work import push

    given = {
        "model": model,
        "blessing": blessing,
        "infra_blessing": infra_blessing,
        "schema": schema,
        "statistics": statistics,
        "evaluation": evaluation,
        "examples": examples,
        "model_run": model_run,
    }
    given = {key: artifact for key, artifact in given.items() if artifact is not None}
    done = push(
        artifacts={key: Path(artifact.path) for key, artifact in given.items()},
        metadata={key: dict(artifact.metadata) for key, artifact in given.items()},
        destination=destination,
        name=name,
        pushed_model=pushed_model.path,
        signing_key=signing_key,
        require_signature=require_signature,
    )
    pushed_model.metadata.update(pushed=done.pushed, name=name, reason=done.reason)
    why = "; ".join(done.reason.splitlines())[:200]
    pushed_model.metadata["verdict"] = f"pushed {name}/{done.version}" if done.pushed else f"NOT PUSHED: {why}"
    if done.pushed:
        pushed_model.metadata.update(
            pushed_destination=done.path, pushed_version=done.version, digest=done.digest, signed=done.signed
        )

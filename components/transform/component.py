"""The KFP component `transform`."""

from typing import Dict, List  # noqa: UP035

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import Examples, ExampleStatistics, Schema, TransformCache, TransformGraph


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def transform(
    examples: dsl.Input[Examples],
    schema: dsl.Input[Schema],
    module: Dict,  # noqa: UP006
    transform_graph: dsl.Output[TransformGraph],
    transformed_examples: dsl.Output[Examples],
    post_transform_statistics: dsl.Output[ExampleStatistics],
    updated_analyzer_cache: dsl.Output[TransformCache],
    analyzer_cache: dsl.Input[TransformCache] = None,
    custom_config: Dict = {},  # noqa: B006, UP006
    analyze_splits: List[str] = ["train"],  # noqa: B006, UP006
    beam_pipeline_args: List[str] = [],  # noqa: B006, UP006
):
    """Run TensorFlow Transform with the user's preprocessing_fn.

    Args:
        examples: raw examples.
        schema: says which tensor each feature becomes.
        module: the file with `preprocessing_fn(inputs)` (which may take `custom_config` too), and its helpers.
        transform_graph: TFX's TransformGraph, for the trainer and for serving.
        transformed_examples: all splits, transformed.
        post_transform_statistics: TFDV's statistics of them.
        updated_analyzer_cache: what analyzers accumulated of each shard.
        analyzer_cache: the one of an earlier run: shards that it has are not analysed again.
        custom_config: for a preprocessing_fn that takes it.
        analyze_splits: the splits that analyzers see.
        beam_pipeline_args: for data beyond one machine; without them no Beam is used.
    """
    import json

    from tidegate.components.transform.work import transform as work

    done = work(
        examples=examples.path,
        schema=schema.path,
        module=module,
        transform_graph=transform_graph.path,
        transformed_examples=transformed_examples.path,
        statistics=post_transform_statistics.path,
        updated_cache=updated_analyzer_cache.path,
        analyzer_cache=analyzer_cache.path if analyzer_cache else None,
        custom_config=custom_config,
        analyze_splits=analyze_splits,
        beam_pipeline_args=beam_pipeline_args,
    )
    rows = sum(done.rows.values())
    for artifact in (transformed_examples, post_transform_statistics):
        artifact.metadata["split_names"] = json.dumps(list(done.rows))
        artifact.metadata["rows"] = rows
        artifact.metadata["rows_by_split"] = dict(done.rows)
        artifact.metadata["features"] = done.features
        artifact.metadata["span"] = examples.metadata.get("span", -1)
    transform_graph.metadata["features"] = done.features
    transform_graph.metadata["runner"] = done.runner
    updated_analyzer_cache.metadata["accumulators"] = done.computed + done.reused
    updated_analyzer_cache.metadata["reused"] = done.reused

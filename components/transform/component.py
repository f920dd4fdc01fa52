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
):
    """Run the user's preprocessing_fn(inputs) with TensorFlow Transform, in one process.

    Args:
        examples: the raw splits.
        schema: says which features there are and how they become tensors.
        module: a user module with preprocessing_fn, by tidegate.module_files.
        transform_graph: transform_fn/, transformed_metadata/, metadata/.
        transformed_examples: the same splits, transformed.
        post_transform_statistics: of these.
        updated_analyzer_cache: what was found in each shard, for the next span.
        analyzer_cache: the same of an earlier run: shards that it knows are not analysed again.
        custom_config: for a preprocessing_fn that takes it.
        analyze_splits: the splits that the analysis may look at.
    """
    import json

    from tidegate.components.transform.work import transform as run

    done = run(
        examples=examples.path,
        schema=schema.path,
        module=module,
        transform_graph=transform_graph.path,
        transformed_examples=transformed_examples.path,
        post_transform_statistics=post_transform_statistics.path,
        updated_analyzer_cache=updated_analyzer_cache.path,
        analyzer_cache=analyzer_cache.path if analyzer_cache else None,
        custom_config=custom_config,
        analyze_splits=analyze_splits,
    )
    for key in ("span", "spans", "version"):
        if key in examples.metadata:
            transformed_examples.metadata[key] = examples.metadata[key]
    transformed_examples.metadata["split_names"] = json.dumps(sorted(done.rows))
    transformed_examples.metadata["rows"] = sum(done.rows.values())
    transform_graph.metadata["features"] = len(done.features)
    updated_analyzer_cache.metadata.update(computed=done.computed, reused=done.reused)

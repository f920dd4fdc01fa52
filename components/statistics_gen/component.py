"""The KFP component `statistics_gen`."""

from typing import List  # noqa: UP035

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import Examples, ExampleStatistics, Schema


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def statistics_gen(
    examples: dsl.Input[Examples],
    statistics: dsl.Output[ExampleStatistics],
    schema: dsl.Input[Schema] = None,
    sample_rate: float = 1.0,
    beam_pipeline_args: List[str] = [],  # noqa: B006, UP006
):
    """Compute TFDV's statistics of each split.

    Args:
        examples: the splits.
        statistics: Split-<name>/FeatureStats.pb and summary.json.
        schema: what is known of the features.
        sample_rate: the share of rows to look at; which rows, their content decides.
        beam_pipeline_args: for data beyond one machine; without them no Beam is used.
    """
    import json

    from tidegate.components.statistics_gen.work import generate_statistics

    rows = generate_statistics(
        examples=examples.path,
        statistics=statistics.path,
        schema=schema.path if schema else None,
        sample_rate=sample_rate,
        beam_pipeline_args=beam_pipeline_args,
    )
    statistics.metadata["split_names"] = json.dumps(list(rows))
    statistics.metadata["rows"] = sum(rows.values())
    statistics.metadata["rows_by_split"] = rows
    statistics.metadata["span"] = examples.metadata.get("span", -1)

"""The KFP component `example_validator`."""

from typing import Dict  # noqa: UP035

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import ExampleAnomalies, Examples, ExampleStatistics, Schema


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def example_validator(
    statistics: dsl.Input[ExampleStatistics],
    schema: dsl.Input[Schema],
    anomalies: dsl.Output[ExampleAnomalies],
    examples: dsl.Input[Examples] = None,
    previous_statistics: dsl.Input[ExampleStatistics] = None,
    serving_statistics: dsl.Input[ExampleStatistics] = None,
    policy: str = "errors",
    checks: Dict = {},  # noqa: B006, UP006
    label: str = "",
    environment: str = "",
):
    """Judge the data by the schema and by checks of the rows; fail, and say why, where the policy says so.

    Args:
        statistics: of the data.
        schema: the requirement.
        anomalies: Split-<name>/SchemaDiff.pb and summary.json.
        examples: the rows, for the checks that TFDV has not.
        previous_statistics: of the span before: drift.
        serving_statistics: of what was served: skew.
        policy: strict, errors, structure, warn or off (see the README).
        checks: settings of the data checks, and default bounds of drift and skew.
        label: the feature to be predicted.
        environment: one of the schema's.
    """
    import json

    from tidegate.components.example_validator.work import refuse, validate_examples

    judged = validate_examples(
        statistics=statistics.path,
        schema=schema.path,
        anomalies=anomalies.path,
        examples=examples.path if examples else None,
        previous_statistics=previous_statistics.path if previous_statistics else None,
        serving_statistics=serving_statistics.path if serving_statistics else None,
        policy=policy,
        checks=checks,
        label=label,
        environment=environment,
    )
    anomalies.metadata["split_names"] = json.dumps(judged.splits)
    anomalies.metadata["blocked"] = bool(judged.blocking)
    anomalies.metadata["policy"] = policy
    anomalies.metadata["anomalies"] = len(judged.anomalies)
    anomalies.metadata["checks"] = f"{sum(c.verdict == 'ok' for c in judged.checks)} of {len(judged.checks)} ok"
    refuse(judged)

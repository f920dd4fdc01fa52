"""The KFP component `evaluator`."""

from typing import List, NamedTuple  # noqa: UP035

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import Examples, ModelBlessing, ModelEvaluation, Schema


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def evaluator(
    examples: dsl.Input[Examples],
    model: dsl.Input[dsl.Model],
    requirements: str,
    evaluation: dsl.Output[ModelEvaluation],
    blessing: dsl.Output[ModelBlessing],
    metrics: dsl.Output[dsl.Metrics],
    schema: dsl.Input[Schema] = None,
    baseline: dsl.Input[dsl.Model] = None,
    example_splits: List[str] = ["eval"],  # noqa: B006, UP006
    seed: int = 42,
) -> NamedTuple("Outputs", blessed=bool):
    """Measure the model with TFMA, slice by slice, and bless it if it meets the requirements.

    Args:
        examples: raw examples, labels included; references are fitted on their train split.
        model: the candidate.
        requirements: the text of the requirements file (YAML).
        evaluation: TFMA's output, and summary.json.
        blessing: BLESSED or NOT_BLESSED, and blessing.json: each requirement's value, interval, bound, verdict.
        metrics: the candidate's overall metrics.
        schema: features that the requirements name are checked against it first.
        baseline: the last blessed model; empty if there is none yet.
        example_splits: the splits to evaluate on.
        seed: of the bootstrap.

    Returns: blessed.
    """
    import collections
    import math

    from tidegate.components.evaluator.work import evaluate

    done = evaluate(
        examples=examples.path,
        model=model.path,
        requirements=requirements,
        evaluation=evaluation.path,
        blessing=blessing.path,
        baseline=baseline.path if baseline else None,
        splits=example_splits,
        seed=seed,
        schema=schema.path if schema else None,
    )
    for name, value in done.metrics.items():
        if math.isfinite(value):
            metrics.log_metric(name, value)
    held = sum(v.verdict == "holds" for v in done.verdicts)
    evaluation.metadata["examples"] = done.examples
    blessing.metadata["blessed"] = done.blessed
    blessing.metadata["requirements"] = f"{held} of {len(done.verdicts)} hold"
    word = "BLESSED" if done.blessed else "NOT BLESSED"
    blessing.metadata["verdict"] = f"{word}: {held} of {len(done.verdicts)} requirements hold"
    return collections.namedtuple("Outputs", ["blessed"])(done.blessed)

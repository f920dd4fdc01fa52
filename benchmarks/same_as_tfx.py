"""TFX's canonical pipeline, of our components: the very steps that `tfx_rival.py` runs."""

from typing import Dict  # noqa: UP035 - what KFP's DSL reads

from kfp import dsl

from tidegate.components import (
    evaluator,
    example_gen,
    example_validator,
    pusher,
    schema_gen,
    statistics_gen,
    trainer,
    transform,
)


@dsl.pipeline(name="same-as-tfx")
def same_as_tfx(
    input_base: str,
    destination: str,
    module: Dict,  # noqa: UP006
    custom_config: Dict,  # noqa: UP006
    requirements: str,
) -> None:
    examples = example_gen(input_base=input_base).outputs["examples"]
    statistics = statistics_gen(examples=examples).outputs["statistics"]
    schema = schema_gen(statistics=statistics).outputs["schema"]
    example_validator(statistics=statistics, schema=schema)
    transformed = transform(examples=examples, schema=schema, module=module)
    trained = trainer(
        examples=transformed.outputs["transformed_examples"],
        raw_examples=examples,
        transform_graph=transformed.outputs["transform_graph"],
        schema=schema,
        module=module,
        custom_config=custom_config,
    )
    evaluation = evaluator(examples=examples, model=trained.outputs["model"], schema=schema, requirements=requirements)
    pusher(
        model=trained.outputs["model"],
        blessing=evaluation.outputs["blessing"],
        destination=destination,
        name="model",
    )

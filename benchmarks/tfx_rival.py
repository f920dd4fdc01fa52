"""The rival: the same data, user module and steps through TFX's own LocalDagRunner. Runs in the components environment.

    python benchmarks/tfx_rival.py CSV_FOLDER MODULE LABEL WORK_FOLDER CUSTOM_CONFIG_JSON

Prints one JSON line: seconds in all (imports included, from the start of this process) and per step.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTED = time.time()


@contextmanager
def timed_steps(seconds: dict[str, float]) -> Iterator[None]:
    """Notes how long each of TFX's component launchers takes."""
    from tfx.orchestration.portable import launcher

    launch = launcher.Launcher.launch

    def timed(self: object) -> object:
        began = time.time()
        result = launch(self)
        seconds[self._pipeline_node.node_info.id] = round(time.time() - began, 2)  # type: ignore[attr-defined]
        return result

    launcher.Launcher.launch = timed
    yield
    launcher.Launcher.launch = launch


def main(csv_folder: str, module: str, label: str, work: str, custom_config: str) -> None:
    import tensorflow_model_analysis as tfma
    from tfx import v1 as tfx

    folder = Path(work)
    example_gen = tfx.components.CsvExampleGen(input_base=csv_folder)
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = tfx.components.SchemaGen(statistics=statistics, infer_feature_shape=True)
    schema = schema_gen.outputs["schema"]
    example_validator = tfx.components.ExampleValidator(statistics=statistics, schema=schema)
    transform = tfx.components.Transform(examples=examples, schema=schema, module_file=module)
    trainer = tfx.components.Trainer(
        module_file=module,
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema,
        train_args=tfx.proto.TrainArgs(),
        eval_args=tfx.proto.EvalArgs(),
        custom_config=json.loads(custom_config),
    )
    model = trainer.outputs["model"]
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name="serving_default", label_key=label)],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(
                        class_name="ExampleCount",
                        threshold=tfma.MetricThreshold(
                            value_threshold=tfma.GenericValueThreshold(lower_bound={"value": 1})
                        ),
                    ),
                    tfma.MetricConfig(class_name="BinaryAccuracy"),
                    tfma.MetricConfig(class_name="AUC"),
                ]
            )
        ],
    )
    evaluator = tfx.components.Evaluator(examples=examples, model=model, eval_config=config)
    pusher = tfx.components.Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(folder / "pushed"))
        ),
    )
    steps_of = [example_gen, statistics_gen, schema_gen, example_validator, transform, trainer, evaluator, pusher]
    database = str(folder / "mlmd.db")
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="rival",
        pipeline_root=str(folder / "root"),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(database),
        components=steps_of,
    )
    steps: dict[str, float] = {}
    with timed_steps(steps):
        tfx.orchestration.LocalDagRunner().run(pipeline)
    pushed = sum(1 for _ in (folder / "pushed").glob("*/saved_model.pb"))
    if not pushed:
        raise SystemExit("the rival pushed no model: the comparison would not be of the same work")
    print(json.dumps({"seconds": round(time.time() - STARTED, 2), "steps": steps}))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""TFMA's configuration and output folder, so that `tfma.load_eval_result` and TFX's viewers read an evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from tensorflow_model_analysis import version as tfma_version
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2, validation_result_pb2
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

from tidegate.components.evaluator.catalogue import BINARY, METRICS, MULTICLASS
from tidegate.components.evaluator.intervals import Interval
from tidegate.components.evaluator.requirements import BASELINE, Requirements

CANDIDATE = "candidate"
PLOTS = {
    BINARY: ({"class_name": "ConfusionMatrixPlot"}, {"class_name": "CalibrationPlot"}),
    MULTICLASS: ({"class_name": "MultiClassConfusionMatrixPlot"},),
}


def metrics_specs(wanted: Requirements, classes: int, plots: bool, model: str = "") -> list[config_pb2.MetricsSpec]:
    """What `wanted` measures, as TFMA's specs: plain metrics, and the ones averaged over the classes."""
    plain, macro = config_pb2.MetricsSpec(), config_pb2.MetricsSpec()
    for spec in (plain, macro):
        if model:
            spec.model_names.append(model)
    for name in ("example_count", *wanted.metrics):
        metric = METRICS[name]
        if not metric.tfma or (name == "example_count" and len(plain.metrics)):
            continue
        config = {"name": name.removesuffix("_macro") if metric.macro else name, **metric.config}
        into = macro if metric.macro else plain
        into.metrics.append(config_pb2.MetricConfig(class_name=metric.tfma, config=json.dumps(config, sort_keys=True)))
    if plots:
        plain.metrics.extend(config_pb2.MetricConfig(**plot) for plot in PLOTS.get(wanted.task, ()))
    if macro.metrics:
        macro.aggregate.macro_average = True
        macro.aggregate.class_weights.update(dict.fromkeys(range(classes), 1.0))
    return [plain, macro] if macro.metrics else [plain]


def eval_config(wanted: Requirements, classes: int, baseline: bool) -> config_pb2.EvalConfig:
    """The EvalConfig with which TFMA itself would measure the same."""
    config = config_pb2.EvalConfig()
    for name in (CANDIDATE, BASELINE) if baseline else ("",):
        config.model_specs.add(
            name=name,
            signature_name="serving_default",
            label_key=wanted.label,
            prediction_key=wanted.prediction,
            is_baseline=name == BASELINE,
        )
        config.metrics_specs.extend(metrics_specs(wanted, classes, plots=True, model=name))
    config.slicing_specs.add()
    for one in wanted.slices:
        if one.values:
            values = {f: str(v) for f, v in zip(one.features, one.values, strict=True)}
            config.slicing_specs.add(feature_values=values)
        else:
            config.slicing_specs.add(feature_keys=one.features)
    config.options.min_slice_size.value = wanted.min_examples
    return config


def name_of(key: Any) -> str:
    """The catalogue's name of a TFMA key."""
    return f"{key.name}_macro" if key.aggregation_type and key.aggregation_type.macro_average else str(key.name)


class Writer:
    """Collects slices, then writes the folder."""

    def __init__(self) -> None:
        self._metrics: list[bytes] = []
        self._plots: list[bytes] = []

    def add(
        self,
        key: tuple[tuple[str, Any], ...],
        found: Mapping[str, Mapping[Any, Any]],
        intervals: Mapping[tuple[str, str], Interval | None],
        differences: Mapping[str, Interval | None],
        own: Mapping[str, Mapping[str, float]],
    ) -> None:
        """One slice. `found`: TFMA model name -> TFMA's keys and values; `intervals`: (model, metric) -> interval;
        `differences`: metric -> candidate minus baseline; `own`: model -> our metrics that TFMA has not."""
        metrics: dict[Any, Any] = {}
        plots: dict[Any, Any] = {}
        for model, values in found.items():
            for metric_key, value in values.items():
                named = metric_key._replace(model_name=model)
                if isinstance(metric_key, metric_types.PlotKey):
                    plots[named] = value
                else:
                    metrics[named] = _bounded(value, intervals.get((model, name_of(metric_key))))
            for name, value in own[model].items():
                named = metric_types.MetricKey(name=name, model_name=model)
                metrics[named] = _bounded(value, intervals.get((model, name)))
        for name, change in differences.items():
            macro = METRICS[name].macro
            average = metric_types.AggregationType(macro_average=True) if macro else None
            named = metric_types.MetricKey(
                name=name.removesuffix("_macro") if macro else name,
                model_name=CANDIDATE,
                aggregation_type=average,
                is_diff=True,
            )
            if change is not None:
                metrics[named] = _bounded(change.value, change)
        self._metrics.append(
            writer.convert_slice_metrics_to_proto((key, metrics), None).SerializeToString(deterministic=True)
        )
        if plots:
            proto = writer.convert_slice_plots_to_proto((key, plots), None)
            self._plots.append(proto.SerializeToString(deterministic=True))

    def write(
        self, folder: Path, config: config_pb2.EvalConfig, data: str, models: Mapping[str, str], ok: bool
    ) -> None:
        """eval_config.json, metrics, plots, attributions and validations, named as TFMA names them."""
        folder.mkdir(parents=True, exist_ok=True)
        run = config_pb2.EvalRun(
            eval_config=config,
            version=tfma_version.VERSION,
            data_location=data,
            file_format="tfrecords",
            model_locations=models,
        )
        (folder / "eval_config.json").write_text(json_format.MessageToJson(run, sort_keys=True), encoding="utf-8")
        _records(folder / "metrics-00000-of-00001.tfrecord", self._metrics)
        _records(folder / "plots-00000-of-00001.tfrecord", self._plots)
        _records(folder / "attributions-00000-of-00001.tfrecord", [])
        verdict = validation_result_pb2.ValidationResult(validation_ok=ok)
        _records(folder / "validations.tfrecord", [verdict.SerializeToString()])


def _bounded(value: Any, interval: Interval | None) -> Any:
    if interval is None:
        return value
    bounded = metrics_for_slice_pb2.BoundedValue()
    bounded.value.value = interval.value
    bounded.lower_bound.value = interval.low
    bounded.upper_bound.value = interval.high
    return bounded


def _records(path: Path, records: Iterable[bytes]) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as out:
        for record in records:
            out.write(record)

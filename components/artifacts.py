"""Artifact types with TFX's names and layouts; `Model`, `Metrics` and `HTML` are KFP's own (`dsl.Model`, ...).

Their titles are `system.Examples` and so on: KFP's compiler refuses any namespace but `system` and `google`.

Layouts (a folder each; TFX code reads them unchanged):
  Examples           Split-<name>/data_tfrecord-00000-of-00001.gz   metadata: split_names, rows, span, version
  ExampleStatistics  Split-<name>/FeatureStats.pb                   + summary.json for people and the report
  Schema             schema.pbtxt
  ExampleAnomalies   Split-<name>/SchemaDiff.pb                     + summary.json
  TransformGraph     transform_fn/ transformed_metadata/ metadata/
  Model              Format-Serving/                                + Samples/ (requests and the trainer's own answers)
  ModelEvaluation    eval_config.json metrics-*.tfrecord ...        + summary.json
  ModelBlessing      BLESSED or NOT_BLESSED                         + blessing.json, which says why
  InfraBlessing      INFRA_BLESSED or INFRA_NOT_BLESSED             + infra.json
  PushedModel        the immutable version                          + model_card.json, model_card.md
"""

from kfp import dsl

VERSION = "0.0.1"


class Examples(dsl.Artifact):
    schema_title = "system.Examples"
    schema_version = VERSION


class ExampleStatistics(dsl.Artifact):
    schema_title = "system.ExampleStatistics"
    schema_version = VERSION


class Schema(dsl.Artifact):
    schema_title = "system.Schema"
    schema_version = VERSION


class ExampleAnomalies(dsl.Artifact):
    schema_title = "system.ExampleAnomalies"
    schema_version = VERSION


class TransformGraph(dsl.Artifact):
    schema_title = "system.TransformGraph"
    schema_version = VERSION


class TransformCache(dsl.Artifact):
    schema_title = "system.TransformCache"
    schema_version = VERSION


class HyperParameters(dsl.Artifact):
    schema_title = "system.HyperParameters"
    schema_version = VERSION


class ModelRun(dsl.Artifact):
    schema_title = "system.ModelRun"
    schema_version = VERSION


class ModelEvaluation(dsl.Artifact):
    schema_title = "system.ModelEvaluation"
    schema_version = VERSION


class ModelBlessing(dsl.Artifact):
    schema_title = "system.ModelBlessing"
    schema_version = VERSION


class InfraBlessing(dsl.Artifact):
    schema_title = "system.InfraBlessing"
    schema_version = VERSION


class PushedModel(dsl.Artifact):
    schema_title = "system.PushedModel"
    schema_version = VERSION

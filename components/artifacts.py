"""Artifact types with TFX's names and layouts; `Model`, `Metrics` and `HTML` are KFP's own (`dsl.Model`, ...).

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
    schema_title = "tfx.Examples"
    schema_version = VERSION


class ExampleStatistics(dsl.Artifact):
    schema_title = "tfx.ExampleStatistics"
    schema_version = VERSION


class Schema(dsl.Artifact):
    schema_title = "tfx.Schema"
    schema_version = VERSION


class ExampleAnomalies(dsl.Artifact):
    schema_title = "tfx.ExampleAnomalies"
    schema_version = VERSION


class TransformGraph(dsl.Artifact):
    schema_title = "tfx.TransformGraph"
    schema_version = VERSION


class TransformCache(dsl.Artifact):
    schema_title = "tfx.TransformCache"
    schema_version = VERSION


class HyperParameters(dsl.Artifact):
    schema_title = "tfx.HyperParameters"
    schema_version = VERSION


class ModelRun(dsl.Artifact):
    schema_title = "tfx.ModelRun"
    schema_version = VERSION


class ModelEvaluation(dsl.Artifact):
    schema_title = "tfx.ModelEvaluation"
    schema_version = VERSION


class ModelBlessing(dsl.Artifact):
    schema_title = "tfx.ModelBlessing"
    schema_version = VERSION


class InfraBlessing(dsl.Artifact):
    schema_title = "tfx.InfraBlessing"
    schema_version = VERSION


class PushedModel(dsl.Artifact):
    schema_title = "tfx.PushedModel"
    schema_version = VERSION

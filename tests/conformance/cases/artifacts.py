"""Artifacts: types, metadata, folders, lists, importers."""

# ruff: noqa: UP014, UP045, PTH103, PTH118, PTH123 - what kfp reads; components import their own

from typing import NamedTuple, Optional

from kfp import components, dsl

from tests.conformance.case import FILES, Case, Made
from tests.conformance.components import component, read, say, write


@dsl.pipeline
def written(text: str = "some words") -> dsl.Dataset:
    made = write(text=text)
    read(data=made.outputs["data"])
    return made.outputs["data"]


@component
def every_type(
    data: dsl.Output[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    numbers: dsl.Output[dsl.Metrics],
    curve: dsl.Output[dsl.ClassificationMetrics],
    slices: dsl.Output[dsl.SlicedClassificationMetrics],
    page: dsl.Output[dsl.HTML],
    text: dsl.Output[dsl.Markdown],
    other: dsl.Output[dsl.Artifact],
):
    for each in (data, model, page, text, other):
        with open(each.path, "w") as file:
            file.write(each.name)
    model.framework = "none"
    numbers.log_metric("accuracy", 0.5)
    numbers.log_metric("loss", 2.0)
    curve.log_roc_curve([0.0, 1.0], [0.0, 1.0], [1.0, 0.0])
    curve.log_confusion_matrix(["a", "b"], [[1, 2], [3, 4]])
    slices.metadata["evaluationSlices"] = [{"slice": "one", "sliceClassificationMetrics": {"auPrc": 0.5}}]


class TYPED(NamedTuple):
    data: dsl.Dataset
    model: dsl.Model
    numbers: dsl.Metrics
    curve: dsl.ClassificationMetrics
    slices: dsl.SlicedClassificationMetrics
    page: dsl.HTML
    text: dsl.Markdown
    other: dsl.Artifact


@dsl.pipeline
def all_types() -> TYPED:
    made = every_type()
    return TYPED(**{name: made.outputs[name] for name in TYPED._fields})


@component
def make_folder(data: dsl.Output[dsl.Dataset]):
    import os

    os.makedirs(f"{data.path}/variables/empty")
    open(f"{data.path}/variables/nothing", "w").close()
    with open(f"{data.path}/model.pb", "w") as file:
        file.write("model")


@component
def list_folder(data: dsl.Input[dsl.Dataset]) -> str:
    import os

    return " ".join(
        sorted(
            os.path.relpath(os.path.join(at, name), data.path) for at, _, names in os.walk(data.path) for name in names
        )
    )


@dsl.pipeline
def folder() -> dsl.Dataset:
    made = make_folder()
    list_folder(data=made.outputs["data"])
    return made.outputs["data"]


@component
def describe(data: dsl.Output[dsl.Dataset]):
    with open(data.path, "w") as file:
        file.write("x")
    data.metadata.update(
        {"whole": 3, "real": 2.5, "text": "é", "yes": True, "list": [1, "a"], "nested": {"a": {"b": [0.5]}}}
    )


@component
def metadata_of(data: dsl.Input[dsl.Dataset]) -> str:
    import json

    return json.dumps(dict(data.metadata), sort_keys=True)


@dsl.pipeline
def metadata() -> str:
    return metadata_of(data=describe().outputs["data"]).output


@component
def somewhere_else(data: dsl.Output[dsl.Dataset]):
    data.uri = "s3://bucket/kept/elsewhere"
    data.metadata["by"] = "reference"


@component
def uri_of(data: dsl.Input[dsl.Dataset]) -> str:
    return f"{data.uri} {data.path} {data.metadata['by']}"


@dsl.pipeline
def by_reference() -> str:
    return uri_of(data=somewhere_else().outputs["data"]).output


@component
def returns_one(text: str) -> dsl.Dataset:
    uri = dsl.get_uri(suffix="made")
    made = dsl.Dataset(uri=uri, metadata={"rows": 1})
    with open(made.path, "w") as file:
        file.write(text)
    return made


@dsl.pipeline
def returned() -> dsl.Dataset:
    made = returns_one(text="returned")
    read(data=made.output)
    return made.output


@component
def take_paths(data: dsl.InputPath("Dataset"), copied: dsl.OutputPath("Dataset")):  # type: ignore[valid-type]
    with open(data) as source, open(copied, "w") as target:
        target.write(source.read().upper())


@dsl.pipeline
def paths() -> dsl.Dataset:
    return take_paths(data=write(text="abc").outputs["data"]).outputs["copied"]


@component
def maybe(data: Optional[dsl.Input[dsl.Dataset]] = None) -> str:
    return "nothing" if data is None else open(data.path).read()


@dsl.pipeline
def optional_inside(data: Optional[dsl.Input[dsl.Dataset]] = None) -> str:
    return maybe(data=data).output


@dsl.pipeline
def optional() -> NamedTuple("Said", [("none", str), ("one", str), ("inside", str)]):  # type: ignore[misc, valid-type]
    none, one, inside = maybe(), maybe(data=write(text="something").outputs["data"]), optional_inside()
    said = NamedTuple("Said", [("none", str), ("one", str), ("inside", str)])  # type: ignore[misc]
    return said(none=none.output, one=one.output, inside=inside.output)


UPLOAD = components.load_component_from_text("""
name: upload
inputs:
- {name: name, type: String}
outputs:
- {name: model, type: google.VertexModel@0.0.1}
implementation:
  container:
    image: python:3.11
    command:
    - python3
    - -c
    - |
      import json, os, sys
      given = json.loads(sys.argv[1])
      model = given["outputs"]["artifacts"]["model"]["artifacts"][0]
      model["uri"] = "https://example.com/v1/projects/1/models/" + given["inputs"]["parameterValues"]["name"]
      model["metadata"] = {"resourceName": "projects/1/models/2", "labels": {"a": "b"}, "version": 3}
      os.makedirs(os.path.dirname(given["outputs"]["outputFile"]), exist_ok=True)
      with open(given["outputs"]["outputFile"], "w") as file:
          json.dump({"artifacts": {"model": {"artifacts": [model]}}}, file)
    args: [{executorInput: null}]
""")

DEPLOY = components.load_component_from_text("""
name: deploy
inputs:
- {name: model, type: google.VertexModel@0.0.1}
outputs:
- {name: said, type: String}
implementation:
  container:
    image: python:3.11
    command:
    - sh
    - -c
    - mkdir -p "$(dirname "$0")" && printf "%s %s" "$@" > "$0"
    - {outputPath: said}
    - {inputUri: model}
    - "{{$.inputs.artifacts['model'].metadata['resourceName']}}"
""")


@dsl.pipeline
def custom_types() -> str:
    return DEPLOY(model=UPLOAD(name="m").outputs["model"]).outputs["said"]


@component
def takes_anything(thing: dsl.Input[dsl.Artifact]) -> str:
    return open(thing.path).read()


@dsl.pipeline
def into_a_generic_input() -> str:
    return takes_anything(thing=write(text="typed").outputs["data"]).output


@dsl.pipeline
def imported(uri: str) -> dsl.Dataset:
    data = dsl.importer(
        artifact_uri=uri,
        artifact_class=dsl.Dataset,
        reimport=False,
        metadata={"rows": 2, "tags": ["a", "b"], "nested": {"k": "v"}},
    )
    read(data=data.output)
    return data.output


@dsl.pipeline
def reimported(uri: str) -> str:
    data = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport=True)
    return read(data=data.output).output


@dsl.pipeline
def imported_by_reference() -> str:
    data = dsl.importer(
        artifact_uri="gs://bucket/kept/elsewhere", artifact_class=dsl.Dataset, metadata={"by": "importer"}
    )
    return uri_of(data=data.output).output


@dsl.pipeline
def imported_from_an_output(uri: str) -> str:
    data = dsl.importer(artifact_uri=say(text=uri).output, artifact_class=dsl.Dataset)
    return list_folder(data=data.output).output


@dsl.pipeline
def import_nothing(uri: str):
    read(data=dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset).output)


NO_FILE = None
CASES = (
    Case(
        "artifacts: one written, and read",
        written,
        {"Output": Made("some words", "system.Dataset", {"length": 10})},
        ran=2,
        values={"read": {"Output": "some words"}},
    ),
    Case(
        "artifacts: every type of KFP's, with what it logs",
        all_types,
        {
            "data": Made("data", "system.Dataset"),
            "model": Made("model", "system.Model", {"framework": "none"}),
            "numbers": Made(NO_FILE, "system.Metrics", {"accuracy": 0.5, "loss": 2.0}),
            "curve": Made(
                NO_FILE,
                "system.ClassificationMetrics",
                {
                    "confidenceMetrics": [
                        {"confidenceThreshold": 1.0, "falsePositiveRate": 0.0, "recall": 0.0},
                        {"confidenceThreshold": 0.0, "falsePositiveRate": 1.0, "recall": 1.0},
                    ],
                    "confusionMatrix": {
                        "annotationSpecs": [{"displayName": "a"}, {"displayName": "b"}],
                        "rows": [{"row": [1, 2]}, {"row": [3, 4]}],
                    },
                },
            ),
            "slices": Made(
                NO_FILE,
                "system.SlicedClassificationMetrics",
                {"evaluationSlices": [{"slice": "one", "sliceClassificationMetrics": {"auPrc": 0.5}}]},
            ),
            "page": Made("page", "system.HTML"),
            "text": Made("text", "system.Markdown"),
            "other": Made("other", "system.Artifact"),
        },
        ran=1,
    ),
    Case(
        "artifacts: folders, with empty files",
        folder,
        {"Output": Made({"model.pb": "model", "variables/nothing": ""}, "system.Dataset")},
        ran=2,
        values={"list-folder": {"Output": "model.pb variables/nothing"}},
        backend="no: its launcher crashes on empty files (kubeflow/pipelines#13476)",
    ),
    Case(
        "artifacts: metadata of every type",
        metadata,
        {
            "Output": '{"list": [1, "a"], "nested": {"a": {"b": [0.5]}}, "real": 2.5, "text": "\\u00e9", '
            '"whole": 3, "yes": true}'
        },
        ran=2,
    ),
    Case(
        "artifacts: kept elsewhere, by URI",
        by_reference,
        {"Output": "s3://bucket/kept/elsewhere /s3/bucket/kept/elsewhere reference"},
        ran=2,
    ),
    Case(
        "artifacts: returned by the function",
        returned,
        {"Output": Made("returned", "system.Dataset", {"rows": 1})},
        ran=2,
        values={"read": {"Output": "returned"}},
    ),
    Case("artifacts: InputPath and OutputPath", paths, {"Output": Made("ABC", "system.Dataset")}, ran=2),
    Case(
        "artifacts: custom types",
        custom_types,
        {"Output": "https://example.com/v1/projects/1/models/m projects/1/models/2"},
        ran=2,
    ),
    Case("artifacts: into an input of any type", into_a_generic_input, {"Output": "typed"}, ran=2),
    Case(
        "optional inputs: artifacts",
        optional,
        {"none": "nothing", "one": "something", "inside": "nothing"},
        ran=4,
    ),
    Case(
        "importer: a file, with metadata",
        imported,
        {
            "Output": Made(
                "two\nrows\n",
                "system.Dataset",
                {"rows": 2, "tags": ["a", "b"], "nested": {"k": "v"}},
            )
        },
        {"uri": f"{FILES}/data.csv"},
        ran=2,
        again=frozenset({"importer"}),
        files={"data.csv": "two\nrows\n"},
    ),
    Case(
        "importer: reimport",
        reimported,
        {"Output": "again"},
        {"uri": f"{FILES}/data.csv"},
        ran=2,
        again=frozenset({"importer"}),
        files={"data.csv": "again"},
    ),
    Case(
        "importer: by reference only",
        imported_by_reference,
        {"Output": "gs://bucket/kept/elsewhere /gcs/bucket/kept/elsewhere importer"},
        ran=2,
        again=frozenset({"importer"}),
    ),
    Case(
        "importer: a folder, its URI from a task",
        imported_from_an_output,
        {"Output": "a b/c"},
        {"uri": f"{FILES}/folder"},
        ran=3,
        again=frozenset({"importer"}),
        files={"folder/a": "1", "folder/b/c": "2"},
    ),
    Case(
        "importer: nothing there",
        import_nothing,
        {},
        {"uri": f"{FILES}/not-there"},
        state="failed",
        failed={"importer": "nothing to import"},
        skipped=frozenset({"read"}),
        ran=1,
    ),
)

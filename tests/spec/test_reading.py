"""What text is a pipeline, and how the rest is refused."""

from __future__ import annotations

import json

import pytest
import yaml
from kfp import kubernetes
from kfp.compiler import Compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions
from kfp.dsl import pipeline

from tests.local.pipelines import add, say
from tests.spec.documents import document, names
from tidegate import spec

CHAIN = yaml.safe_dump(document())


@pipeline
def with_a_secret():
    kubernetes.use_secret_as_env(say(text="x"), secret_name="s", secret_key_to_env={"k": "V"})


@pytest.mark.parametrize("name", names())
def test_what_kfp_compiles_is_read(name):
    assert spec.load(yaml.safe_dump(document(name))).spec.root.dag.tasks


@pytest.mark.parametrize(
    "text",
    [
        CHAIN,
        CHAIN.encode(),
        json.dumps(document()),
        json.dumps({"pipelineSpec": document(), "runtimeConfig": {}}),
        yaml.safe_dump_all([document(), {"platforms": {"kubernetes": {}}}]),
    ],
    ids=["yaml", "bytes", "json", "vertex", "two documents"],
)
def test_every_wrapping_gives_the_same_pipeline(text):
    loaded = spec.load(text)
    assert loaded.name == "chain"
    assert set(loaded.spec.root.dag.tasks) == {"add", "add-2"}


def test_a_kubernetes_manifest_brings_pipeline_and_platform(tmp_path):
    path = tmp_path / "p.yaml"
    options = KubernetesManifestOptions(pipeline_name="p", include_pipeline_manifest=True)
    Compiler().compile(with_a_secret, str(path), kubernetes_manifest_format=True, kubernetes_manifest_options=options)
    loaded = spec.load(path.read_text())
    assert list(loaded.spec.root.dag.tasks) == ["say"]
    assert loaded.platforms["kubernetes"]["deploymentSpec"]["executors"]["exec-say"]


def test_a_vertex_job_gives_its_values_as_defaults():
    job = {"pipelineSpec": document("quoting"), "runtimeConfig": {"parameterValues": {"name": "Grace"}}}
    assert spec.check_parameters(spec.load(json.dumps(job)), {}) == {"name": "Grace"}


def test_a_component_compiled_alone_is_a_pipeline_of_one_task(tmp_path):
    Compiler().compile(add, str(tmp_path / "add.yaml"))
    assert spec.load((tmp_path / "add.yaml").read_text()).name == "add"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("# nothing\n---\n", "the file is empty"),
        ("[1, 2]", "expected a mapping, found list"),
        ("a: 1\nb: [", "p.yaml:3: not YAML"),
        ("a: 1\nb: 2\na: 3\n", "p.yaml:3: not YAML: the key 'a' stands twice"),
        ("a: &x [1]\nb: *x\n", "p.yaml:2: aliases"),
        ("a: !!python/object/apply:os.system ['true']", "not YAML"),
        ("a: " + "[" * 80, "nested deeper than 60 levels"),
        ('{"a": ' * 80, "nested deeper than 60 levels"),
        ('{"a": {"b": 1, "b": 2}}', "the key 'b' stands twice"),
        ('{"a": 1,}', "not YAML or JSON"),
        ('{"root": {"dag": {"tasks": {"\\ud800": {}}}}}', "not YAML or JSON"),
        (b"a: \xff\n", "not UTF-8 text"),
        ("name: x\nimplementation: {}\n", "this is not a compiled pipeline (no `root`; found: implementation, name)"),
        ("root: 3\n", "not a PipelineSpec"),
        ("pipelineSpec: 3\n", "pipelineSpec: expected a mapping, found int"),
        ("root: {dag: {tasks: {a: {retryPolicy: {maxRetryCount: .inf}}}}}\n", "not a PipelineSpec"),
        ("kind: PipelineVersion\nspec: []\n", "spec: expected a mapping, found list"),
    ],
)
def test_what_is_no_pipeline_is_refused_with_the_place(text, words):
    with pytest.raises(spec.SpecError) as refused:
        spec.load(text, "p.yaml")
    assert words in str(refused.value)
    assert str(refused.value).startswith("p.yaml")


def test_a_pipeline_too_large_to_be_one_is_not_even_parsed():
    with pytest.raises(spec.SpecError, match="65 MiB of pipeline; at most 64 are read"):
        spec.load(b"a" * (65 << 20))


def test_a_name_that_leads_out_of_its_folder_is_refused():
    whole = document()
    whole["root"]["dag"]["tasks"]["../up"] = whole["root"]["dag"]["tasks"]["add"]
    with pytest.raises(spec.SpecError, match=r"'\.\./up' cannot be a name"):
        spec.load(json.dumps(whole))

"""trainer: a TFX user module as it is, TFX's FnArgs, and what is checked and kept of what it made."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from penguins import Penguins, penguin_schema, penguins, prepare
from tensorflow.python.autograph.impl.conversion import is_allowlisted

from tidegate.components.errors import ComponentError
from tidegate.components.infra_validator.samples import read as read_samples
from tidegate.components.tfrecord import split_paths, write_examples
from tidegate.components.tfx_modules import datasets
from tidegate.components.tfx_modules.fn_args import fn_args
from tidegate.components.trainer.work import Trained, train

STEPS = {"train_steps": 30, "eval_steps": 20}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Penguins:
    return prepare(tmp_path_factory.mktemp("penguins"))


def run(made: Penguins, out: Path, **given: Any) -> Trained:
    options = {
        "examples": made.transformed,
        "module": made.module,
        "schema": made.schema,
        "transform_graph": made.graph,
        "raw_examples": made.examples,
        **STEPS,
        **given,
    }
    return train(model=out / "model", model_run=out / "run", **options)


@pytest.fixture(scope="module")
def trained(made: Penguins, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    out = tmp_path_factory.mktemp("trained")
    return out, run(made, out)


def module(body: str) -> dict[str, str]:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return {"my_module.py": f"import os\nimport numpy as np\nimport tensorflow as tf\ndef run_fn(fn_args):\n{lines}"}


def test_a_tfx_module_trains_unchanged(trained: tuple[Path, Trained]) -> None:
    _out, done = trained
    assert done.metrics["val_sparse_categorical_accuracy"] > 0.8
    assert done.parameters >= 4 * 8 + 8 + 8 * 3 + 3
    assert done.signatures["serving_default"] == {
        "inputs": {"examples": "string[?]"},
        "outputs": {"outputs": "float32[?,3]"},
    }
    assert "tfx.orchestration.kubeflow" not in sys.modules  # which the whole of tfx.v1 imports


def test_the_history_has_an_epoch_a_row_and_tensorboard_reads_the_logs(trained: tuple[Path, Trained]) -> None:
    out, _done = trained
    epochs = json.loads((out / "run" / "history.json").read_text())["epochs"]
    assert [row["epoch"] for row in epochs] == [1, 2]
    assert {"seconds", "loss", "val_loss", "sparse_categorical_accuracy"} <= epochs[0].keys()
    assert epochs[1]["loss"] < epochs[0]["loss"]
    (events,) = (out / "run").rglob("*train/events.out.tfevents*")
    tags = {value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value}
    assert "epoch_loss" in tags


def test_samples_hold_raw_requests_and_the_models_own_answers(trained: tuple[Path, Trained], made: Penguins) -> None:
    out, done = trained
    kept = read_samples(out / "model", 32)
    assert len(kept.examples) == done.samples == 32
    served = tf.saved_model.load(str(out / "model" / "Format-Serving")).signatures["serving_default"]
    records = [base64.b64decode(one) for one in kept.examples]
    np.testing.assert_allclose(served(examples=tf.constant(records))["outputs"], kept.outputs["outputs"], rtol=1e-6)
    rows = json.loads((out / "model" / "Samples" / "requests.json").read_text())["examples"]
    assert rows[0].keys() >= {"body_mass_g", "species"}
    first = tf.train.Example.FromString(records[0])
    assert rows[0]["species"] == [first.features.feature["species"].bytes_list.value[0].decode()]


def test_the_same_seed_gives_the_same_metrics_and_another_seed_others(
    trained: tuple[Path, Trained], made: Penguins, tmp_path: Path
) -> None:
    assert run(made, tmp_path / "same").metrics == trained[1].metrics
    assert run(made, tmp_path / "other", seed=7).metrics != trained[1].metrics


def test_a_warm_start_begins_where_the_base_model_ended(
    trained: tuple[Path, Trained], made: Penguins, tmp_path: Path
) -> None:
    out, _ = trained
    run(made, tmp_path, base_model=out / "model")
    cold = json.loads((out / "run" / "history.json").read_text())["epochs"]
    warm = json.loads((tmp_path / "run" / "history.json").read_text())["epochs"]
    assert warm[0]["loss"] < cold[1]["loss"] + 0.05


def test_fn_args_are_those_of_tfx(made: Penguins, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "best_hyperparameters.txt").write_text('{"space": [], "values": {"units": 3}}')
    args = fn_args(
        made.examples,
        schema=made.schema,
        transform_graph=made.graph,
        base_model=tmp_path / "empty",
        hyperparameters=tmp_path / "best",
        model=tmp_path / "model",
        model_run=tmp_path / "run",
        custom_config={"a": 1},
    )
    assert args.train_files == [str(made.examples / "Split-train" / "*")]
    assert args.schema_path == args.schema_file == str(made.schema / "schema.pbtxt")
    assert args.transform_graph_path == args.transform_output == str(made.graph)
    assert args.serving_model_dir == str(tmp_path / "model" / "Format-Serving")
    assert args.base_model is None
    assert args.train_steps is None
    assert args.hyperparameters == {"space": [], "values": {"units": 3}}
    assert args.custom_config == {"a": 1}
    with pytest.raises(ComponentError, match="no examples of split 'test'; its splits: eval, train"):
        fn_args(made.examples, train_splits=["test"])


# ---------------------------------------------------------------- data
@pytest.mark.parametrize("epochs", [1, 2])
def test_batches_from_memory_are_those_of_tfx(made: Penguins, epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    options = datasets.Options(batch_size=64, num_epochs=epochs, shuffle=False, label_key="species")
    pattern = [str(made.examples / "Split-train" / "*")]
    ours = list(datasets.factory([])(pattern, options, penguin_schema()))
    monkeypatch.setattr(datasets, "IN_MEMORY_BYTES", 0)
    theirs = list(datasets.factory([])(pattern, options, penguin_schema()))
    assert len(ours) == len(theirs) == -(-600 * epochs // 64)
    for (mine, label), (other, other_label) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(label, other_label)
        assert {k: (v.dtype, v.shape) for k, v in mine.items()} == {k: (v.dtype, v.shape) for k, v in other.items()}
        np.testing.assert_array_equal(mine["body_mass_g"], other["body_mass_g"])


def test_shuffled_batches_hold_every_example_once_an_epoch_and_follow_the_seed(made: Penguins) -> None:
    options = datasets.Options(batch_size=50, num_epochs=1, label_key=None)

    def masses() -> list[float]:
        tf.random.set_seed(3)
        found = datasets.factory([])(str(made.examples / "Split-train" / "*"), options, penguin_schema())
        return [float(m) for batch in found for m in tf.reshape(batch["body_mass_g"], [-1])]

    first = masses()
    assert first == masses() != sorted(first)
    assert sorted(first) == sorted(penguins(600, 1)["body_mass_g"].to_pylist())


def test_record_batches_are_read(made: Penguins) -> None:
    from tfx_bsl.public.tfxio import RecordBatchesOptions

    options = RecordBatchesOptions(batch_size=100, num_epochs=1)
    found = datasets.record_batches([str(made.examples / "Split-eval" / "*")], options, penguin_schema())
    assert sum(batch.num_rows for batch in found) == 200


def test_labels_that_are_all_equal_are_refused_for_training_and_told_for_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = penguins(50, 5)
    table = table.set_column(table.schema.get_field_index("species"), "species", pa.array(["Gentoo"] * 50))
    write_examples(tmp_path, "train", [table])
    pattern = [str(split_paths(tmp_path, "train")[0])]
    options = datasets.Options(batch_size=10, label_key="species", num_epochs=1)
    with pytest.raises(ComponentError, match="'species' is b'Gentoo' in all 50 examples of Split-train"):
        datasets.factory([])(pattern, options, penguin_schema())
    assert len(list(datasets.factory(pattern)(pattern, options, penguin_schema()))) == 5
    assert "warning: label 'species'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pattern", "label", "said"),
    [
        ("nowhere/*", "species", "no file matches nowhere"),
        ("", "colour", "'colour' is no feature; there are: body_mass_g"),
    ],
)
def test_data_that_is_not_there_is_told(pattern: str, label: str, said: str, made: Penguins) -> None:
    options = datasets.Options(batch_size=10, label_key=label)
    with pytest.raises(ComponentError, match=said):
        datasets.factory([])(pattern or str(made.examples / "Split-train" / "*"), options, penguin_schema())


# ---------------------------------------------------------------- what goes wrong
SMALL = """
model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(1,))])
model.compile("sgd", "mse")
x = np.ones((64, 1), "f4")
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("pass", "run_fn saved no model at fn_args.serving_model_dir"),
        (SMALL + "x[7] = np.nan\nmodel.fit(x, x, epochs=3)", "the loss is NaN in epoch 1"),
        ("tf.saved_model.save(tf.Module(), fn_args.serving_model_dir)", "the model has no signature"),
        (
            "os.makedirs(fn_args.serving_model_dir)\n"
            "with open(fn_args.serving_model_dir + '/saved_model.pb', 'wb') as f: f.write(b'cut')",
            "cannot be loaded again",
        ),
    ],
)
def test_what_a_run_fn_does_wrong_is_told(body: str, said: str, made: Penguins, tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match=said):
        run(made, tmp_path, module=module(body))


def test_the_users_own_error_passes_through(made: Penguins, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(made, tmp_path, module=module("1 / 0"))


def test_several_fits_make_one_history_and_a_models_plain_signature_has_no_samples(
    made: Penguins, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = SMALL + "model.fit(x, x, 32, 2, 0)\nmodel.fit(x, x, epochs=1)\n"
    body += "model.save(fn_args.serving_model_dir, save_format='tf')"
    done = run(made, tmp_path, module=module(body))
    epochs = json.loads((tmp_path / "run" / "history.json").read_text())["epochs"]
    assert [(row["epoch"], row["fit"]) for row in epochs] == [(1, 1), (2, 1), (3, 2)]
    assert (done.samples, done.parameters) == (0, 2)
    assert "no sample requests" in capsys.readouterr().out
    assert tf.keras.Model.fit.__name__ == "fit"
    assert "keras_hooks" not in tf.keras.Model.fit.__code__.co_filename


def test_autograph_leaves_libraries_alone_and_converts_the_users_layers(made: Penguins, tmp_path: Path) -> None:
    source = """
import tensorflow as tf
import numpy as np

class Gate(tf.keras.layers.Layer):
    def call(self, x):
        if tf.reduce_sum(x) > 0:  # a condition on a tensor: nothing but AutoGraph makes it work
            return x * 2.0
        return x

def run_fn(fn_args):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(1,)), Gate()])
    model.compile("sgd", "mse")
    model.fit(np.ones((64, 1), "f4"), np.ones((64, 1), "f4"))
    tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(1,))]).save(fn_args.serving_model_dir, save_format="tf")
"""
    assert run(made, tmp_path, module={"my_module.py": source}).epochs == 1
    assert is_allowlisted(tf.keras.Model.train_step)

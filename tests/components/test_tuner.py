"""The tuner: TFX's tuner_fn and Optuna's objective_fn, on a problem whose answer is known."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from tidegate.components.errors import ComponentError
from tidegate.components.tfrecord import write_examples
from tidegate.components.tuner.work import FILE, tune

OPTUNA = """
DIRECTION = "minimize"

def objective_fn(trial, fn_args):
    x = trial.suggest_float("x", -4.0, 4.0)
    for step in range(3):
        trial.report((x - 1.0) ** 2, step)
        if trial.should_prune():
            import optuna
            raise optuna.TrialPruned
    if trial.number == 1:
        raise ValueError("this one fails")
    return (x - 1.0) ** 2
"""
KERAS = """
import keras_tuner
import numpy as np
from tensorflow import keras
from collections import namedtuple

TunerFnResult = namedtuple("TunerFnResult", ["tuner", "fit_kwargs"])

def _build(hp):
    model = keras.Sequential([keras.layers.Dense(hp.Choice("units", [1, 4]), input_shape=(1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.legacy.SGD(hp.Choice("rate", [0.0, 0.05])), "mse")
    return model

def tuner_fn(fn_args):
    tuner = keras_tuner.RandomSearch(
        _build, objective=keras_tuner.Objective("val_loss", "min"), max_trials=3, seed=1, directory=fn_args.working_dir
    )
    x = np.linspace(-1, 1, 64, dtype="float32").reshape(-1, 1)
    return TunerFnResult(tuner, {"x": x, "y": 3 * x, "validation_data": (x, 3 * x), "epochs": 2})
"""


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    for split in ("train", "eval"):
        write_examples(folder, split, [pa.RecordBatch.from_pydict({"x": [1.0, 2.0]})])
    return folder


def _tuned(examples: Path, out: Path, module: str, **asked):
    return tune(
        examples=examples,
        module={"module.py": module},
        best_hyperparameters=out / "best",
        tuning=out / "tuning",
        **asked,
    )


def test_optuna_finds_the_minimum_and_counts_a_failed_trial(examples, tmp_path):
    found = _tuned(examples, tmp_path, OPTUNA, trials=25, parallel=1)
    states = [trial.state for trial in found.trials]
    assert len(states) == 25
    assert states.count("failed") == 1
    assert "pruned" in states
    assert found.best_value < 0.5
    assert found.best["values"]["x"] == pytest.approx(1.0, abs=0.7)


def test_the_same_seed_gives_the_same_trials(examples, tmp_path):
    one, two = (_tuned(examples, tmp_path / name, OPTUNA, trials=6, parallel=1, seed=7) for name in ("a", "b"))
    assert [trial.parameters for trial in one.trials] == [trial.parameters for trial in two.trials]


def test_trials_run_side_by_side_and_all_are_kept(examples, tmp_path):
    found = _tuned(examples, tmp_path, OPTUNA, trials=9, parallel=2)
    assert sorted(trial.number for trial in found.trials) == list(range(9))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of keras_tuner 1.4, its own
def test_a_tfx_tuner_fn_runs_unchanged_and_its_best_is_what_tfx_reads(examples, tmp_path):
    import keras_tuner

    found = _tuned(examples, tmp_path, KERAS)
    assert found.direction == "minimize"
    assert [trial.state for trial in found.trials] == ["complete"] * 3
    config = json.loads((tmp_path / "best" / FILE).read_text())
    best = keras_tuner.HyperParameters.from_config(config)
    least = min(found.trials, key=lambda trial: trial.value)
    assert (best.get("rate"), best.get("units")) == (least.parameters["rate"], least.parameters["units"])
    summary = json.loads((tmp_path / "tuning" / "summary.json").read_text())
    assert {"units", "rate"} <= set(summary["trials"][0]["parameters"])


@pytest.mark.parametrize(
    ("module", "asked", "said"),
    [
        ("x = 1", {}, "neither tuner_fn"),
        ("def objective_fn(trial, fn_args): raise ValueError('no')", {"trials": 2, "parallel": 1}, "none of 2 trials"),
        ("DIRECTION = 'up'\ndef objective_fn(trial, fn_args): return 1", {}, "DIRECTION is 'up'"),
        ("def tuner_fn(fn_args): return 3", {}, "expected TunerFnResult"),
        ("def objective_fn(trial, fn_args): return 1", {"trials": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_searched_is_said(examples, tmp_path, module, asked, said):
    with pytest.raises(ComponentError, match=said):
        _tuned(examples, tmp_path, module, **asked)

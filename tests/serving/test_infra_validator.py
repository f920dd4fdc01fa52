"""infra_validator: a real MLServer process decides whether a model can be served."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.components.errors import ComponentError
from tidegate.components.infra_validator import samples
from tidegate.components.infra_validator.work import validate


def processes_of(folder: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode().replace("\0", " ")
            except OSError:
                continue
            if folder in command and int(entry.name) != os.getpid():
                found.append(command)
    return found


def test_a_good_model_is_blessed_through_the_command_that_the_container_runs(model: Path, tmp_path: Path) -> None:
    blessing, output = tmp_path / "blessing", tmp_path / "kfp" / "output.json"
    executor_input = {
        "inputs": {},
        "outputs": {
            "outputFile": str(output),
            "artifacts": {"blessing": {"artifacts": [{"name": "blessing", "uri": str(blessing), "metadata": {}}]}},
        },
    }
    command = [sys.executable, "-m", "tidegate.components.infra_validator.main", str(model), str(blessing)]

    done = subprocess.run(
        [*command, "--requests", "5", "--executor_input", json.dumps(executor_input)], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    infra = json.loads((blessing / "infra.json").read_text())
    assert infra["blessed"] and (blessing / "INFRA_BLESSED").exists() and infra["requests"] == 5
    assert infra["max_difference"] < 1e-6 and infra["load_seconds"] > 0 and infra["server"].startswith("mlserver 1.")
    (told,) = json.loads(output.read_text())["artifacts"]["blessing"]["artifacts"]
    assert told["uri"] == str(blessing) and told["metadata"]["blessed"] is True
    assert "infra-validator-" not in " ".join(processes_of("mlserver.cli"))


def test_other_answers_than_the_trainers_are_not_blessed(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    predictions = json.loads((copy / "Samples/predictions.json").read_text())
    predictions["outputs"]["probability"][3] = [0.9]
    (copy / "Samples/predictions.json").write_text(json.dumps(predictions))

    done = validate(copy, tmp_path / "out")

    assert not done.blessed and (tmp_path / "out/INFRA_NOT_BLESSED").exists()
    assert "request 4" in done.reason and done.max_difference is not None and done.max_difference > 0.1


def test_a_model_that_does_not_load_is_not_blessed_and_the_log_says_why(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "Format-Serving/saved_model.pb").write_bytes(b"not a model")

    done = validate(copy, tmp_path / "out")

    assert not done.blessed and done.max_difference is None
    assert "Error parsing message with type 'tensorflow.SavedModel'" in done.reason
    assert processes_of("infra-validator-") == []


def test_a_server_that_takes_too_long_is_ended(model: Path, tmp_path: Path) -> None:
    done = validate(model, tmp_path / "out", load_timeout=0.2)

    assert not done.blessed and "not ready within 0.2 s" in done.reason
    assert processes_of("infra-validator-") == []


@pytest.mark.parametrize(
    ("missing", "says"),
    [("Samples", "sample requests"), ("Format-Serving", "expected a model that trainer made")],
)
def test_a_model_that_is_not_whole_is_the_users_to_mend(missing: str, says: str, model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    shutil.rmtree(copy / missing)

    with pytest.raises(ComponentError, match=says):
        validate(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("found", "expected", "worst"),
    [
        ({"p": [[0.5], [1]]}, {"p": [[0.5], [1.0]]}, 0.0),
        ({"p": [0.5, 0.25]}, {"p": [0.5, 0.75]}, 0.5),
        ({"p": [1010.0]}, {"p": [1000.0]}, 0.01),
        ({"p": [float("nan")]}, {"p": [float("nan")]}, 0.0),
        ({"p": [float("nan")]}, {"p": [0.5]}, float("inf")),
        ({"p": ["a"]}, {"p": ["b"]}, float("inf")),
        ({"q": [1.0]}, {"p": [1.0]}, float("inf")),
        ({"p": [1.0, 2.0]}, {"p": [1.0]}, float("inf")),
    ],
)
def test_differences(found: dict[str, list[object]], expected: dict[str, list[object]], worst: float) -> None:
    assert samples.difference(expected, found)[0] == pytest.approx(worst)

"""latest_blessed: the last pushed model, as the trainer made it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from kfp.dsl.executor import Executor

from tidegate.components import latest_blessed_model
from tidegate.components.errors import ComponentError
from tidegate.components.pusher.work import push
from tidegate.components.resolver.blessed import latest_blessed
from tidegate.models import content_digest


def pushed(folder: Path, content: str, span: int) -> Path:
    """Push a model of this span; returns the Model artifact it came from."""
    model, blessing = folder / f"model-{content}", folder / "blessing"
    (model / "Format-Serving").mkdir(parents=True)
    (model / "Format-Serving/saved_model.pb").write_text(content)
    (model / "notes.txt").write_text("kept")
    blessing.mkdir(exist_ok=True)
    (blessing / "BLESSED").touch()
    artifacts = {"model": model, "blessing": blessing}
    push(artifacts, {"examples": {"span": span}}, str(folder / "models"), "flights", folder / f"out-{content}")
    return model


def test_the_last_pushed_model_comes_back_as_the_trainer_made_it(tmp_path: Path) -> None:
    pushed(tmp_path, "old", 1)
    model = pushed(tmp_path, "new", 2)

    found = latest_blessed(str(tmp_path / "models"), "flights", tmp_path / "out")

    assert found is not None and found.number == 2
    assert content_digest(tmp_path / "out") == content_digest(model)
    assert os.access(tmp_path / "out/Format-Serving/saved_model.pb", os.W_OK)


@pytest.mark.parametrize(("before", "content"), [(-1, "b"), (9, "b"), (4, "a"), (2, None), (1, None)])
def test_only_models_of_older_spans_count(before: int, content: str | None, tmp_path: Path) -> None:
    pushed(tmp_path, "a", 2)
    pushed(tmp_path, "b", 4)

    found = latest_blessed(str(tmp_path / "models"), "flights", tmp_path / "out", before)

    if content is None:
        assert found is None and list((tmp_path / "out").iterdir()) == []
    else:
        assert (tmp_path / "out/Format-Serving/saved_model.pb").read_text() == content


def test_where_nothing_was_pushed_the_artifact_is_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert latest_blessed(str(tmp_path / "nowhere"), "flights", tmp_path / "out") is None
    assert list((tmp_path / "out").iterdir()) == [] and "no blessed model 'flights'" in capsys.readouterr().out


def test_a_name_that_leaves_the_destination_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="cannot be a model's"):
        latest_blessed(str(tmp_path), "../other", tmp_path / "out")


def test_kfp_runs_the_component(tmp_path: Path) -> None:
    pushed(tmp_path, "new", 2)
    out = {"name": "model", "uri": str(tmp_path / "out"), "type": {"schemaTitle": "system.Model"}}
    given = {
        "inputs": {"parameterValues": {"destination": str(tmp_path / "models"), "name": "flights"}},
        "outputs": {"outputFile": str(tmp_path / "out.json"), "artifacts": {"model": {"artifacts": [out]}}},
    }

    Executor(executor_input=given, function_to_execute=latest_blessed_model.python_func).execute()

    (told,) = json.loads((tmp_path / "out.json").read_text())["artifacts"]["model"]["artifacts"]
    assert told["metadata"]["found"] is True and told["metadata"]["span"] == 2
    assert told["metadata"]["version"].startswith("00001-")

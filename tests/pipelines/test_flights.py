"""The example pipeline, as it compiles."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from tidegate import spec
from tidegate.graph.build import build
from tidegate.graph.model import FromTask
from tidegate.local.load import load_pipeline

FLIGHTS = Path(__file__).parents[2] / "pipelines/flights"
GOLDEN = FLIGHTS / "pipeline.yaml"


def _compiled(tmp_path: Path) -> str:
    text = load_pipeline(str(FLIGHTS / "pipeline.py"), cache=tmp_path).spec
    assert isinstance(text, str)
    return text


def _comparable(text: str) -> Any:
    """The same for every version of tidegate, which the images' tags name."""
    return yaml.safe_load(re.sub(r"(image: tidegate/\w+):\S+", r"\1", text))


def test_golden_pipeline(tmp_path):
    """`make golden` writes it again."""
    text = _compiled(tmp_path)
    if os.environ.get("TIDEGATE_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert _comparable(text) == _comparable(GOLDEN.read_text(encoding="utf-8")), "changed: see `make golden`"


def test_nothing_is_pushed_that_was_not_judged_and_tried(tmp_path):
    root = build(spec.load(_compiled(tmp_path), "flights")).root.body
    pusher = root.tasks["pusher"]
    assert pusher.artifacts["blessing"].source == FromTask("evaluator", "blessing")
    assert pusher.artifacts["infra_blessing"].source == FromTask("infra-validator", "blessing")
    assert "example-validator" in root.tasks["transform"].after


def test_the_users_code_stands_once_in_the_compiled_pipeline(tmp_path):
    assert _compiled(tmp_path).count("def preprocessing_fn") == 1


def test_the_baseline_is_looked_up_each_time(tmp_path):
    root = build(spec.load(_compiled(tmp_path), "flights")).root.body
    assert not root.tasks["latest-blessed-model"].caching
    assert root.tasks["trainer"].caching

"""`tidegate models` and `tidegate verify`, on versions signed for the test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Tidegate
from tidegate.models import model_digest, sign


@dataclass(frozen=True)
class Pushed:
    destination: Path
    version: Path
    key: Path


@pytest.fixture
def pushed(tidegate: Tidegate, tmp_path: Path) -> Pushed:
    private, public = tmp_path / "model.key", tmp_path / "model.pub"
    assert tidegate("models", "keygen", private).code == 0
    version = tmp_path / "models/flights/00001-0123456789ab"
    (version / "Format-Serving").mkdir(parents=True)
    (version / "Format-Serving/weights").write_text("1 2 3")
    metric = {"name": "auc", "slice": "overall", "model": "candidate", "value": 0.81, "low": 0.8, "high": 0.82}
    card = {"name": "flights", "version": version.name, "digest": model_digest(version), "metrics": [metric]}
    (version / "model_card.json").write_text(json.dumps(card))
    sign(version, private)
    return Pushed(tmp_path / "models", version, public)


def test_versions_are_listed_with_their_metrics(tidegate: Tidegate, pushed: Pushed) -> None:
    said = tidegate("models", "--destination", pushed.destination)
    assert said.out.splitlines()[1].split(maxsplit=3) == [
        "flights",
        "00001-0123456789ab",
        "yes",
        "auc 0.81 [0.8, 0.82]",
    ]
    assert tidegate("models", pushed.destination).out == said.out
    listed = tidegate("models", "flights", "--destination", pushed.destination, "-o", "json").json
    assert [(model["name"], model["signed"]) for model in listed] == [("flights", True)]


def test_an_unknown_model_is_told_with_those_there_are(tidegate: Tidegate, pushed: Pushed) -> None:
    said = tidegate("models", "flihgts", "--destination", pushed.destination)
    assert said.code == 2
    assert "one of flights" in said.err


def test_a_model_as_it_was_signed_is_valid(tidegate: Tidegate, pushed: Pushed) -> None:
    assert tidegate("verify", pushed.version.parent, "--key", pushed.key).code == 0
    for model in ("flights", "flights/00001"):
        said = tidegate("verify", model, "--destination", pushed.destination, "--key", pushed.key)
        assert said.code == 0
        assert "✓ valid" in said.out
    said = tidegate("verify", pushed.version, "--key", pushed.key, "-o", "json").json
    assert said["valid"]
    assert "Format-Serving/weights" in said["files"]


def test_a_changed_model_is_not_valid(tidegate: Tidegate, pushed: Pushed) -> None:
    (pushed.version / "Format-Serving/weights").write_text("1 2 4")
    said = tidegate("verify", pushed.version, "--key", pushed.key)
    assert said.code == 1
    assert "✗ not valid" in said.out
    assert "changed since it was signed" in said.out


def test_another_key_does_not_verify_it(tidegate: Tidegate, pushed: Pushed, tmp_path: Path) -> None:
    tidegate("models", "keygen", tmp_path / "other.key")
    assert tidegate("verify", pushed.version, "--key", tmp_path / "other.pub").code == 1


def test_a_key_is_its_owners_and_never_overwritten(tidegate: Tidegate, pushed: Pushed, tmp_path: Path) -> None:
    private = tmp_path / "model.key"
    before = private.read_bytes()
    assert private.stat().st_mode & 0o777 == 0o600
    said = tidegate("models", "keygen", private)
    assert said.code == 2
    assert "never overwritten" in said.err
    assert private.read_bytes() == before


def test_nothing_is_verified_without_a_key(tidegate: Tidegate, pushed: Pushed) -> None:
    for given in ([], ["--key", "none.pub"]):
        said = tidegate("verify", pushed.version, *given)
        assert said.code == 2
        assert "key" in said.err
